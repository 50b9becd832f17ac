from uuid import UUID

from imghost_core import object_keys

WORKSPACE, IMAGE = UUID(int=1), UUID(int=2)


def test_every_key_of_an_image_starts_with_its_prefix() -> None:
    """Deleting one prefix deletes the original and all that was made from it, and nothing of another image."""
    prefix = object_keys.image_prefix(WORKSPACE, IMAGE)
    made = [
        object_keys.original(WORKSPACE, IMAGE, "0" * 64),
        object_keys.mezzanine(WORKSPACE, IMAGE, "jpg"),
        *(object_keys.variant(WORKSPACE, IMAGE, name, "webp") for name in object_keys.VARIANT_NAMES),
    ]
    assert len(set(made)) == len(made)
    assert all(key.startswith(prefix) for key in made)
    assert not any(key.startswith(object_keys.image_prefix(WORKSPACE, UUID(int=20))) for key in made)
