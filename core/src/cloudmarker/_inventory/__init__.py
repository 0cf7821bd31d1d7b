"""The common model of what there is in a cloud, one module for each part of it. :mod:`cloudmarker.fields` is the way in."""
