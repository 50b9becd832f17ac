"""Public addresses of a picture; built from settings only, never from a request's headers."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Urls:
    """The three addresses of a picture."""

    url: str
    thumbnail: str
    view_url: str


@dataclass(frozen=True, slots=True)
class UrlBuilder:
    """`pictures` is the base of the direct URLs, `viewer` that of the view service."""

    pictures: str
    viewer: str

    def of(self, public_id: str, extension: str, variant_extension: str) -> Urls:
        """The addresses of one picture."""
        return Urls(
            url=f"{self.pictures}/{public_id}.{extension}",
            thumbnail=f"{self.pictures}/{public_id}_thumb.{variant_extension}",
            view_url=f"{self.viewer}/i/{public_id}",
        )
