"""A contract for import-linter: inside an app, models know no domain module and neither knows an edge.

The order is `models -> domain modules -> api/views/admin/tasks/handlers`, from the ground up. Which room a module
is in follows from its name; what has no name of its own here is a domain module.
"""

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output

MODELS, DOMAIN, EDGE = range(3)
ROOMS = ("models", "domain modules", "edges")
MODEL_ROOM = {"models", "append_only", "history", "ids", "translated"}  # models and what models are made of
EDGES = {
    *("admin", "api", "apps", "forms", "handlers", "management", "serializers", "tasks", "templatetags"),
    *("urls", "views"),
}


class RoomsContract(Contract):
    """`apps`: the packages to look into."""

    apps = fields.ListField(subfield=fields.StringField())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        breaches = [
            (importer, imported)
            for importer in sorted(graph.modules)
            for imported in sorted(graph.find_modules_directly_imported_by(importer))
            if _app(importer) in self.apps
            and _app(importer) == _app(imported)
            and room_of(importer) < room_of(imported)
        ]
        return ContractCheck(kept=not breaches, metadata={"breaches": breaches})

    def render_broken_contract(self, check: ContractCheck) -> None:
        for importer, imported in check.metadata["breaches"]:
            rooms = f"{ROOMS[room_of(importer)]} must not know {ROOMS[room_of(imported)]}"
            output.print_error(f"{importer} imports {imported}: {rooms}")


def room_of(module: str) -> int:
    """MODELS, DOMAIN or EDGE by the names on the module's path."""
    names = set(module.split(".")[1:])
    if names & MODEL_ROOM:
        return MODELS
    if names & EDGES or any(name.startswith(("admin_", "api_", "views_")) for name in names):
        return EDGE
    return DOMAIN


def _app(module: str) -> str:
    return module.partition(".")[0]
