"""The common model of what there is in a cloud, part by part. :mod:`cloudmarker.fields` is the way in."""
