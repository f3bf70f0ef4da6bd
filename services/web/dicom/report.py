"""An answer as a DICOM structured report, TID 1500, as IHE "AI Results" asks: unverified, preliminary, of a device.

Each established finding is a measurement group (TID 1501): its code, the calibrated probability, both operating points,
and how the probability lies to them. A finding that is not established is left out: it counts in nothing here either.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from io import BytesIO
from typing import Any

import pydicom
from highdicom.sr import (
    AlgorithmIdentification,
    CodedConcept,
    ComprehensiveSR,
    DeviceObserverIdentifyingAttributes,
    Measurement,
    MeasurementReport,
    MeasurementsAndQualitativeEvaluations,
    ObservationContext,
    ObserverContext,
    QualitativeEvaluation,
    SourceImageForMeasurementGroup,
    TrackingIdentifier,
)
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes

from services.web.dicom.facts import MANUFACTURER
from services.web.names import derived_uid

SERIES_NUMBER = 9901
NOTICE = "Decision support, not for primary diagnosis. Not verified by a person."
_PERCENT = CodedConcept("%", "UCUM", "Percent")
_CHEST_FILM = CodedConcept("399208008", "SCT", "Plain chest X-ray")
_CLINICAL_FINDING = CodedConcept("404684003", "SCT", "Clinical finding")
# DICOM PS3.16: "the certainty that a device places upon an individual feature, 0-100".
_CERTAINTY = CodedConcept("111012", "DCM", "Certainty of Finding")
_ALERT = CodedConcept("alert", "99HILUM", "Alert threshold of the probability")
_RULE_OUT = CodedConcept("rule-out", "99HILUM", "Rule-out threshold of the probability")
RESULT = CodedConcept("result", "99HILUM", "Probability against both thresholds")
_PRESENT = CodedConcept("52101004", "SCT", "Present")
_INDETERMINATE = CodedConcept("82334004", "SCT", "Indeterminate")
_ABSENT = CodedConcept("2667000", "SCT", "Absent")
_NORESULT = CodedConcept("no-result", "99HILUM", "No result stands: every scored film was withdrawn")


def device_uid(digest: str) -> str:
    """The device that a release is: a new UID for each digest (IHE AIR)."""
    return derived_uid("device", digest)


def make_report(
    sources: Sequence[Dataset],
    payload: dict[str, Any],
    *,
    uid: str,
    version: int,
    made_at: datetime,
    before: Dataset | None,
) -> bytes:
    """The report of one answer (`payload` as stored) about the films `sources` as a DICOM file.

    `before` is the report of the version before, which this one refers to as its predecessor.
    """
    release = payload["release"]
    algorithm = AlgorithmIdentification(
        name=release["name"][:64],
        version=release["version"][:64],
        manufacturer=MANUFACTURER,
        parameters=[f"release sha256 {release['digest']}", f"precision {release['precision']}", NOTICE],
    )
    by_uid = {str(source.SOPInstanceUID): source for source in sources}
    groups = [
        _group(finding, by_uid, algorithm, study_uid=str(sources[0].StudyInstanceUID))
        for finding in payload["findings"]
        if finding["established"]
    ] or [_nothing(sources, algorithm)]
    observer = ObserverContext(
        observer_type=codes.DCM.Device,
        observer_identifying_attributes=DeviceObserverIdentifyingAttributes(
            uid=device_uid(release["digest"]),
            name="Hilum",
            manufacturer_name=MANUFACTURER,
            model_name=release["name"][:64],
            serial_number=release["digest"],
        ),
    )
    content = MeasurementReport(
        observation_context=ObservationContext(observer_device_context=observer),
        procedure_reported=_CHEST_FILM,
        imaging_measurements=groups,
        referenced_images=None,
    )
    report = ComprehensiveSR(
        evidence=list(sources),
        content=content[0],
        series_instance_uid=derived_uid("report-series", str(sources[0].StudyInstanceUID)),
        series_number=SERIES_NUMBER,
        sop_instance_uid=uid,
        instance_number=version,
        manufacturer=MANUFACTURER,
        is_complete=True,
        is_final=False,
        is_verified=False,
        previous_versions=None if before is None else [before],
    )
    report.SeriesDescription = "Hilum: unverified findings"
    report.ManufacturerModelName = release["name"][:64]
    report.SoftwareVersions = release["version"][:64]
    report.DeviceSerialNumber = release["digest"]
    report.DeviceUID = device_uid(release["digest"])
    report.ContentDate, report.ContentTime = made_at.strftime("%Y%m%d"), made_at.strftime("%H%M%S")
    report.TimezoneOffsetFromUTC = "+0000"
    stream = BytesIO()
    pydicom.dcmwrite(stream, report, enforce_file_format=True)
    return stream.getvalue()


def _group(
    finding: dict[str, Any], sources: dict[str, Dataset], algorithm: AlgorithmIdentification, study_uid: str
) -> MeasurementsAndQualitativeEvaluations:
    code = finding["code"]
    source = sources.get(finding["film_uid"])
    low, high, probability = finding["rule_out"], finding["alert"], finding["probability"]
    value = _PRESENT if finding["present"] else _ABSENT if probability < low else _INDETERMINATE
    return MeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(
            uid=derived_uid("finding", study_uid, finding["name"]), identifier=finding["name"]
        ),
        finding_type=CodedConcept(code["value"], code["scheme"], code["meaning"][:64]),
        finding_category=_CLINICAL_FINDING,
        algorithm_id=algorithm,
        measurements=[
            Measurement(name=name, value=round(100.0 * number, 2), unit=_PERCENT)
            for name, number in ((_CERTAINTY, probability), (_ALERT, high), (_RULE_OUT, low))
        ],
        qualitative_evaluations=[QualitativeEvaluation(name=RESULT, value=value)],
        source_images=None if source is None else [_image(source)],
    )


def _nothing(sources: Sequence[Dataset], algorithm: AlgorithmIdentification) -> MeasurementsAndQualitativeEvaluations:
    return MeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(
            uid=derived_uid("finding", str(sources[0].StudyInstanceUID), ""), identifier="no result"
        ),
        algorithm_id=algorithm,
        qualitative_evaluations=[QualitativeEvaluation(name=RESULT, value=_NORESULT)],
        source_images=[_image(source) for source in sources],
    )


def _image(source: Dataset) -> SourceImageForMeasurementGroup:
    return SourceImageForMeasurementGroup(
        referenced_sop_class_uid=source.SOPClassUID, referenced_sop_instance_uid=source.SOPInstanceUID
    )
