"""QIDO-RS: studies, series and instances that were kept, as DICOM JSON."""

from __future__ import annotations

from dataclasses import replace

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse

from services.web.api.paths import StudyUid
from services.web.context import Web, WebDep
from services.web.dicom import query
from services.web.dicom.dicomjson import MEDIA_TYPE, Elements, element
from services.web.dicom.paths import SeriesUid
from services.web.dicom.tables import Instance
from services.web.identity.access import need
from services.web.tables import Study

router = APIRouter(prefix="/dicom-web", tags=["DICOMweb"], dependencies=[Depends(need("reader", scope="studies:read"))])
_STUDY = ("StudyDate", "StudyTime", "StudyID", "StudyDescription", "PatientSex", "IssuerOfPatientID")
_SERIES = ("Modality", "SeriesDescription", "SeriesNumber", "BodyPartExamined", "Laterality")
_INSTANCE = ("InstanceNumber", "Rows", "Columns", "BitsAllocated", "NumberOfFrames", "ViewPosition")


@router.get("/studies", summary="Search for studies (QIDO-RS)")
def studies(web: WebDep, request: Request) -> JSONResponse:
    """Newest first; matched by StudyInstanceUID, PatientID, AccessionNumber, StudyDate and modality, in pages."""
    asked = query.read_query(request.query_params.multi_items())
    with web.read() as session:
        found = query.studies(session, asked)
        held = query.of_studies(session, [study.uid for study in found])
    root = _root(request)
    return _answer([_study(study, held[study.uid], root) for study in found if held[study.uid]], asked)


@router.get("/series", summary="Search for series")
def all_series(web: WebDep, request: Request) -> JSONResponse:
    """In pages."""
    return _series(web, request, {})


@router.get("/studies/{uid}/series", summary="Series of a study")
def series(web: WebDep, request: Request, uid: StudyUid) -> JSONResponse:
    """In pages."""
    return _series(web, request, {"StudyInstanceUID": uid})


@router.get("/instances", summary="Search for instances")
def all_instances(web: WebDep, request: Request) -> JSONResponse:
    """In pages."""
    return _instances(web, request, {})


@router.get("/studies/{uid}/instances", summary="Instances of a study")
def instances(web: WebDep, request: Request, uid: StudyUid) -> JSONResponse:
    """In pages."""
    return _instances(web, request, {"StudyInstanceUID": uid})


@router.get("/studies/{uid}/series/{series}/instances", summary="Instances of a series")
def instances_of_series(web: WebDep, request: Request, uid: StudyUid, series: SeriesUid) -> JSONResponse:
    """In pages."""
    return _instances(web, request, {"StudyInstanceUID": uid, "SeriesInstanceUID": series})


def _series(web: Web, request: Request, fixed: dict[str, str]) -> JSONResponse:
    asked = query.read_query(request.query_params.multi_items())
    asked = replace(asked, matches={**asked.matches, **fixed})
    with web.read() as session:
        uids = query.series(session, asked)
        held = query.of_series(session, uids)
    root = _root(request)
    return _answer([_one_series(held[uid], root) for uid in uids if held[uid]], asked)


def _instances(web: Web, request: Request, fixed: dict[str, str]) -> JSONResponse:
    asked = query.read_query(request.query_params.multi_items())
    asked = replace(asked, matches={**asked.matches, **fixed})
    with web.read() as session:
        found = query.instances(session, asked)
    root = _root(request)
    return _answer([_instance(item, root) for item in found], asked)


def _answer(found: list[Elements], asked: query.Asked) -> JSONResponse:
    headers = {"Warning": '299 hilum "fuzzymatching is not supported; matched literally"'} if asked.fuzzy else None
    return JSONResponse(found, media_type=MEDIA_TYPE, headers=headers)


def _root(request: Request) -> str:
    return f"{str(request.base_url).rstrip('/')}/dicom-web/studies"


def _texts(item: Instance, keywords: tuple[str, ...]) -> Elements:
    found: Elements = {}
    for keyword in keywords:
        found |= element(keyword, item.attributes.get(keyword, ""))
    return found


def _study(study: Study, held: list[Instance], root: str) -> Elements:
    return (
        element("StudyInstanceUID", study.uid)
        | _texts(held[0], _STUDY)
        | element("AccessionNumber", study.accession)
        | element("PatientID", study.patient_id)
        # A patient's name is kept in no row: it is in the instances alone.
        | element("PatientName")
        | element("ModalitiesInStudy", *sorted({item.modality for item in held}))
        | element("NumberOfStudyRelatedSeries", len({item.series_uid for item in held}))
        | element("NumberOfStudyRelatedInstances", len(held))
        | element("InstanceAvailability", "ONLINE")
        | element("RetrieveURL", f"{root}/{study.uid}")
    )


def _one_series(held: list[Instance], root: str) -> Elements:
    first = held[0]
    return (
        element("StudyInstanceUID", first.study_uid)
        | element("SeriesInstanceUID", first.series_uid)
        | _texts(first, _SERIES)
        | element("NumberOfSeriesRelatedInstances", len(held))
        | element("RetrieveURL", f"{root}/{first.study_uid}/series/{first.series_uid}")
    )


def _instance(item: Instance, root: str) -> Elements:
    url = f"{root}/{item.study_uid}/series/{item.series_uid}/instances/{item.uid}"
    return (
        element("StudyInstanceUID", item.study_uid)
        | element("SeriesInstanceUID", item.series_uid)
        | element("SOPInstanceUID", item.uid)
        | element("SOPClassUID", item.sop_class_uid)
        | element("AvailableTransferSyntaxUID", item.transfer_syntax_uid)
        | element("Modality", item.modality)
        | _texts(item, _INSTANCE)
        | element("InstanceAvailability", "ONLINE")
        | element("RetrieveURL", url)
    )
