"""Public URLs of an image; built from settings only, never from a request's headers."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends

from imghost_api.access.deps import Context


@dataclass(frozen=True, slots=True)
class ImageUrls:
    """The three URLs of an image."""

    url: str
    thumbnail: str
    view_url: str


@dataclass(frozen=True, slots=True)
class UrlBuilder:
    """`images` is the base of the direct URLs, `viewer` that of the view page."""

    images: str
    viewer: str

    def build(self, public_id: str, extension: str, variant_extension: str) -> ImageUrls:
        """The URLs of one image."""
        return ImageUrls(
            url=f"{self.images}/{public_id}.{extension}",
            thumbnail=f"{self.images}/{public_id}_thumb.{variant_extension}",
            view_url=f"{self.viewer}/i/{public_id}",
        )


def _url_builder(context: Context) -> UrlBuilder:
    return UrlBuilder(images=context.settings.image_base_url, viewer=context.settings.view_server_url)


Urls = Annotated[UrlBuilder, Depends(_url_builder)]
