"""The OpenAPI document."""

from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from imghost_core.problems import MEDIA_TYPE

PROBLEM = {
    "type": "object",
    "title": "Problem",
    "description": "RFC 9457 problem document; `success` and `message` are there for older clients.",
    "required": ["type", "title", "status", "detail", "instance", "code", "request_id", "errors", "success", "message"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What happened, why, and what to do"},
        "instance": {"type": "string"},
        "code": {"type": "string", "description": "Stable and machine-readable"},
        "request_id": {"type": "string"},
        "required_permission": {"type": "string", "description": "With `permission_denied`: what is missing"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
            },
        },
        "success": {"type": "boolean", "const": False},
        "message": {"type": "string"},
    },
}


def alias(router: APIRouter, path: str, *, of: str, method: str) -> None:
    """Mount the handler of `of` under `path` too, marked as an alias."""
    for route in list(router.routes):
        if isinstance(route, APIRoute) and route.path == of and method in (route.methods or ()):
            router.add_api_route(
                path,
                route.endpoint,
                methods=[method],
                status_code=route.status_code,
                operation_id=f"{route.operation_id}_alias{path.replace('/', '_').translate(_BRACES)}",
                summary=route.summary,
                description=f"Alias of `{method} {of}`.",
                responses=route.responses,
                dependencies=route.dependencies,
                openapi_extra={**(route.openapi_extra or {}), "x-alias-of": of},
            )
            return
    raise LookupError(f"no route {method} {of} to alias")


def build_document(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document, with problem documents in place of the framework's validation errors."""
    if app.openapi_schema is None:
        document = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
        for path in document["paths"].values():
            for operation in path.values():
                if MEDIA_TYPE not in operation["responses"].get("422", {}).get("content", {}):
                    operation["responses"].pop("422", None)
        schemas = document["components"]["schemas"]
        schemas.pop("HTTPValidationError", None)
        schemas.pop("ValidationError", None)
        schemas["Problem"] = PROBLEM
        app.openapi_schema = document
    return app.openapi_schema


_BRACES = str.maketrans({"{": "", "}": "", ".": "_", "-": "_"})
