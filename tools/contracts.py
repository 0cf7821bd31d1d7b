"""An import-linter contract: plugins import only the public modules of another package."""

from __future__ import annotations

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output


class PublicModules(Contract):
    """Every import from *sources* into *package* is of one of its *public* modules.

    A list of what is public, and not of what is private: a module that is added to the package is private until it is
    listed. A public package makes public what it contains, but for modules whose names begin with an underscore.
    """

    # import-linter puts the parsed values in place of the fields.
    sources: list[str] = fields.ListField(subfield=fields.StringField())  # type: ignore[assignment]
    package: str = fields.StringField()  # type: ignore[assignment]
    public: list[str] = fields.ListField(subfield=fields.StringField())  # type: ignore[assignment]

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        """Return the imports that break the contract, each with its line."""
        public = [f"{self.package}.{name}" for name in self.public]
        broken = []
        for source in self.sources:
            for importer in sorted({source, *graph.find_descendants(source)}):
                for imported in sorted(graph.find_modules_directly_imported_by(importer)):
                    if imported.split(".")[0] == self.package and not _is_public(imported, public):
                        broken.extend(graph.get_import_details(importer=importer, imported=imported))
        return ContractCheck(kept=not broken, metadata={"broken": broken})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Print one line for each broken import."""
        for details in check.metadata["broken"]:
            output.print_error(
                f"{details['importer']}:{details['line_number']}: {details['imported']} is not public: "
                f"{details['line_contents'].strip()}",
                bold=False,
            )
        output.new_line()


def _is_public(module: str, public: list[str]) -> bool:
    return any(
        module == name or (module.startswith(f"{name}.") and not any(p.startswith("_") for p in module.split(".")))
        for name in public
    )
