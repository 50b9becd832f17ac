from uuid import UUID

from imghost_core import keys

WORKSPACE, IMAGE = UUID(int=1), UUID(int=2)


def test_everything_of_an_image_lies_below_its_prefix() -> None:
    """Deleting one prefix deletes the original and all that was made from it, and nothing of another image."""
    prefix = keys.image_prefix(WORKSPACE, IMAGE)
    made = [
        keys.original(WORKSPACE, IMAGE, "0" * 64),
        keys.mezzanine(WORKSPACE, IMAGE, "jpg"),
        *(keys.variant(WORKSPACE, IMAGE, name, "webp") for name in keys.VARIANT_NAMES),
    ]
    assert len(set(made)) == len(made)
    assert all(key.startswith(prefix) for key in made)
    assert not any(key.startswith(keys.image_prefix(WORKSPACE, UUID(int=20))) for key in made)
