"""A small API that stands for the real ones in the tests of the conventions."""

from typing import Any, ClassVar

from django.core.exceptions import PermissionDenied
from django.db import DataError, OperationalError
from django.http import Http404
from django.urls import include, path
from rest_framework import serializers
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from loyalty.api.idempotency import idempotent
from loyalty.api.parsing import StrictSerializer
from loyalty.api.problems import Conflict, FieldError
from loyalty.partners.models import Partner, Scope


class Line(StrictSerializer):
    sku = serializers.CharField(max_length=10)
    quantity = serializers.DecimalField(max_digits=8, decimal_places=2)


class Basket(StrictSerializer):
    name = serializers.CharField(max_length=50)
    lines = Line(many=True, required=False)


class PartnerOut(serializers.ModelSerializer[Partner]):
    class Meta:
        model = Partner
        fields = ["slug"]


class Baskets(ListAPIView[Partner]):
    """Reads partners, writes partners: something that is seen to happen or not."""

    required_scopes: ClassVar[dict[str, str]] = {"GET": Scope.MEMBERS_READ, "POST": Scope.ACTIVITIES_WRITE}
    serializer_class = PartnerOut
    queryset = Partner.objects.all()
    answer_status = 201

    @idempotent
    def post(self, request: Request) -> Response:
        data = Basket(data=request.data)
        data.is_valid(raise_exception=True)
        partner = Partner.objects.create(slug=data.validated_data["name"], name="made")
        if partner.slug == "refused":
            return Response({"no": 1}, status=422)
        if partner.slug == "conflict":
            raise Conflict("It is there.", errors=[FieldError("name", "taken", "Taken.")], id=7)
        return Response({"number": partner.pk, "name": partner.slug}, status=self.answer_status)


class Undeclared(APIView):
    def get(self, request: Request) -> Response:
        return Response({})

    post = get


class Raises(APIView):
    required_scopes = Scope.MEMBERS_READ
    errors: ClassVar[dict[str, Any]] = {
        "404": Http404(),
        "403": PermissionDenied(),
        "data": DataError("NUL"),
        "database": OperationalError("the server is gone"),
        "bug": ZeroDivisionError("a bug"),
    }

    def get(self, request: Request, what: str) -> Response:
        raise self.errors[what]


urlpatterns = [
    path("api/v1/baskets", Baskets.as_view()),
    path("api/v1/undeclared", Undeclared.as_view()),
    path("api/v1/raises/<what>", Raises.as_view()),
    path("", include("loyalty.urls")),
]
handler400 = "loyalty.api.problems.bad_request"
handler403 = "loyalty.api.problems.permission_denied"
handler404 = "loyalty.api.problems.page_not_found"
handler500 = "loyalty.api.problems.server_error"
