"""How the API describes itself (OpenAPI 3.1): keys, problems and idempotency are written once, here."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse
from rest_framework import serializers

from loyalty.api import problems
from loyalty.api.authentication import scopes_of
from loyalty.api.idempotency import HEADER

READ_PROBLEMS = (401, 403, 422, 429, 503)
WRITE_PROBLEMS = (400, 409, 413, 415)


class FieldErrorSerializer(serializers.Serializer[Any]):
    """What is wrong with one field."""

    field = serializers.CharField(help_text="The path of the field, `lines[2].quantity`.")
    code = serializers.CharField()
    message = serializers.CharField()


class ProblemSerializer(serializers.Serializer[Any]):
    """RFC 9457 problem details."""

    type = serializers.URLField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    code = serializers.CharField(help_text="The last part of `type`, stable.")
    detail = serializers.CharField(required=False)
    instance = serializers.CharField(required=False, help_text="Names this request in our logs.")
    errors = FieldErrorSerializer(many=True, required=False)


class ApiKeyScheme(OpenApiAuthenticationExtension):
    target_class = "loyalty.api.authentication.ApiKeyAuthentication"
    name = "apiKey"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:
        return {"type": "http", "scheme": "bearer", "bearerFormat": "kantis_<prefix>_<secret>"}


class KantisSchema(AutoSchema):
    """Adds to every operation what all have in common."""

    def get_override_parameters(self) -> list[Any]:
        declared = list(super().get_override_parameters())
        if self._is_idempotent():
            declared.append(
                OpenApiParameter(
                    HEADER,
                    location=OpenApiParameter.HEADER,
                    required=True,
                    description="A new value for each write; the same again repeats the first answer.",
                )
            )
        return declared

    def get_operation(self, *args: Any, **kwargs: Any) -> dict[str, Any] | None:
        operation: dict[str, Any] | None = super().get_operation(*args, **kwargs)
        scopes = sorted(scopes_of(self.view, self.method))
        if operation and scopes:
            needed = f"Scope: {', '.join(f'`{scope}`' for scope in scopes)}."
            operation["description"] = "\n\n".join(filter(None, (operation.get("description"), needed)))
        return operation

    def _get_response_bodies(self, direction: str = "response") -> dict[str, Any]:
        bodies: dict[str, Any] = super()._get_response_bodies(direction)
        for status in self._common_problems():
            bodies.setdefault(str(status), self._problem_body(status))
        return bodies

    def _common_problems(self) -> tuple[int, ...]:
        found = READ_PROBLEMS if self.view.authentication_classes else ()
        if self.method not in ("GET", "HEAD"):
            found += WRITE_PROBLEMS
        if "{" in self.path:
            found += (404,)
        return tuple(sorted(found))

    def _problem_body(self, status: int) -> dict[str, Any]:
        title = str(problems._BY_STATUS[status].title)
        body: dict[str, Any] = self._get_response_for_code(
            OpenApiResponse(ProblemSerializer, title), str(status), media_types=[problems.CONTENT_TYPE]
        )
        return body

    def _is_idempotent(self) -> bool:
        action = getattr(self.view, "action", None) or self.method.lower()
        return bool(getattr(getattr(self.view, action, None), "is_idempotent", False))
