"""`/v1/views`: the signed-in reader's saved views of the list."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path

from services.web.context import WebDep, utc_now
from services.web.list_query import ListQuery
from services.web.saved_views import delete_view, restore_view, save_view, views_of
from services.web.wire import SavedViewBody, SavedViewOut, SavedViewsOut

router = APIRouter(prefix="/v1/views", tags=["worklist"])
ViewId = Annotated[str, Path(pattern="^[0-9a-f]{32}$")]


@router.get("", summary="Your saved views, by name")
def views(web: WebDep) -> SavedViewsOut:
    """Nobody sees another's."""
    with web.read() as session:
        return SavedViewsOut(views=[SavedViewOut.model_validate(view) for view in views_of(session, web.reader)])


@router.post("", summary="Save a view, or give the one of that name other filters")
def save(web: WebDep, body: SavedViewBody) -> SavedViewOut:
    """`filters` as in the list's address; what is no filter there is left out."""
    address = ListQuery.model_validate(body.filters).address
    with web.write() as session:
        view = save_view(session, body.name, address, reader=web.reader, is_default=body.is_default, now=utc_now())
    return SavedViewOut.model_validate(view)


@router.delete("/{view_id}", status_code=204, summary="Delete a view")
def delete(web: WebDep, view_id: ViewId) -> None:
    """It can be restored for a month."""
    with web.write() as session:
        delete_view(session, view_id, reader=web.reader, now=utc_now())


@router.post("/{view_id}/restore", summary="Undo the deletion of a view")
def restore(web: WebDep, view_id: ViewId) -> SavedViewOut:
    """A view that is there stays as it is."""
    with web.write() as session:
        return SavedViewOut.model_validate(restore_view(session, view_id, reader=web.reader))
