"""wasmtime (PyPI) to 50.0.1 can't pass `err` of a `result<option<T>, E>`, which `files.open` returns, to a component.

It finds the case of an untagged value by its Python class, and takes the class of `none` to be `object`. Of that,
every failure is an instance too, so that it is lowered as an `ok` and ends in "value not valid for this variant".
The class of `none` is NoneType. `test_embedding.py` fails when wasmtime does without this file.
"""

from wasmtime.component._types import VariantLikeType


def add_classes(self, classes):
    if self._tagged():
        return tagged(self, classes)
    for _, payload in self._cases():
        if payload is None:
            classes.add(type(None))
        else:
            payload.add_classes(classes)


tagged = VariantLikeType.add_classes


def apply():
    VariantLikeType.add_classes = add_classes
