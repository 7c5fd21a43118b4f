"""Columns of NBIA's tables, in their order (tcia-nbia-and-idc.md §2.5 to §2.8)."""

# fmt: off  many names to a line
METADATA = (
    "PatientID",
    "PatientName",
    "PatientSex",
    "EthnicGroup",
    "Phantom",
    "SpeciesCode",
    "SpeciesDescription",
    "StudyInstanceUID",
    "StudyDate",
    "StudyDesc",
    "AdmittingDiagnosisDescription",
    "StudyID",
    "PatientAge",
    "LongitudinalTemporalEventType",
    "LongitudinalTemporalOffsetFromEvent",
    "SeriesInstanceUID",
    "Collection",
    "Site",
    "Modality",
    "ProtocolName",
    "SeriesDate",
    "SeriesDescription",
    "BodyPartExamined",
    "SeriesNumber",
    "AnnotationsFlag",
    "Manufacturer",
    "ManufacturerModelName",
    "PixelSpacing(mm)-Row",
    "SliceThickness(mm)",
    "SoftwareVersions",
    "ImageCount",
    "MaxSubmissionTimestamp",
    "LicenseName",
    "LicenseURI",
    "DataDescriptionURI",
    "FileSize",
    "ReleasedStatus",
    "DateReleased",
    "ThirdPartyAnalysis",
    "Authorized",
)
"""Columns of getSeriesMetadata of v4 (§2.8)."""

SERIES = (
    "SeriesInstanceUID",
    "StudyInstanceUID",
    "Modality",
    "ProtocolName",
    "SeriesDate",
    "SeriesDescription",
    "BodyPartExamined",
    "SeriesNumber",
    "AnnotationsFlag",
    "Collection",
    "Site",
    "PatientID",
    "PatientSex",
    "PatientAge",
    "AdmittingDiagnosisDescription",
    "Manufacturer",
    "ManufacturerModelName",
    "SoftwareVersions",
    "ImageCount",
    "MaxSubmissionTimestamp",
    "LicenseName",
    "LicenseURI",
    "DataDescriptionURI",
    "FileSize",
    "ReleasedStatus",
    "DateReleased",
    "StudyDesc",
    "StudyDate",
    "ThirdPartyAnalysis",
    "Authorized",
)
"""Columns of getSeries of v4 (§2.6)."""

SERIES_V1 = (
    "SeriesInstanceUID",
    "StudyInstanceUID",
    "Modality",
    "ProtocolName",
    "SeriesDate",
    "SeriesDescription",
    "BodyPartExamined",
    "SeriesNumber",
    "AnnotationsFlag",
    "Collection",
    "PatientID",
    "Manufacturer",
    "ManufacturerModelName",
    "SoftwareVersions",
    "ImageCount",
    "TimeStamp",
    "LicenseName",
    "LicenseURI",
    "CollectionURI",
    "FileSize",
    "DateReleased",
    "StudyDesc",
    "StudyDate",
    "ThirdPartyAnalysis",
)
"""Columns of getSeries of v1 and v2 (§2.6)."""

PATIENT = (
    "PatientId",
    "PatientName",
    "PatientSex",
    "EthnicGroup",
    "Collection",
    "Phantom",
    "SpeciesCode",
    "SpeciesDescription",
    "Authorized",
)
"""Columns of getPatient of v4 (§2.5)."""

STUDY = (
    "StudyInstanceUID",
    "StudyDate",
    "StudyDescription",
    "AdmittingDiagnosesDescription",
    "StudyID",
    "PatientAge",
    "PatientID",
    "PatientName",
    "PatientSex",
    "EthnicGroup",
    "Collection",
    "SeriesCount",
    "LongitudinalTemporalEventType",
    "LongitudinalTemporalOffsetFromEvent",
    "Authorized",
)
"""Columns of getPatientStudy of v4 (§2.5)."""

# fmt: on

PATIENT_V1 = ("PatientId", "PatientName", "PatientBirthDate", *PATIENT[2:-1])
"""Columns of getPatient of v1 and v2 (§2.5)."""

STUDY_V1 = (*STUDY[:8], "PatientBirthDate", *STUDY[8:-1])
"""Columns of getPatientStudy of v1 and v2."""

SHARED = {name: name for name in SERIES_V1[:15]} | {"Date Released": "DateReleased"}
"""Columns of getContentsByName, and what they hold."""

METADATA_V1 = {
    "Series UID": "SeriesInstanceUID",
    "Collection": "Collection",
    "3rd Party Analysis": "ThirdPartyAnalysis",
    "Data Description URI": "DataDescriptionURI",
    "Subject ID": "PatientID",
    "Study UID": "StudyInstanceUID",
    "Study Description": "StudyDesc",
    "Study Date": "StudyDate",
    "Series Description": "SeriesDescription",
    "Manufacturer": "Manufacturer",
    "Modality": "Modality",
    "SOP Class UID": "SOPClassUID",
    "Number of Images": "ImageCount",
    "File Size": "FileSize",
    "File Location": "StudyID",
    "Series Number": "SeriesNumber",
    "License Name": "LicenseName",
    "License URL": "LicenseURI",
    "Annotation Size": "AnnotationSize",
    "Date Released": "DateReleased",
    "Series Date": "SeriesDate",
    "Protocol Name": "ProtocolName",
    "Body Part Examined": "BodyPartExamined",
    "Annotations Flag": "AnnotationsFlag",
    "Manufacturer Model Name": "ManufacturerModelName",
    "Software Versions": "SoftwareVersions",
    "TimeStamp": "TimeStamp",
}
"""Columns of getSeriesMetaData of v1 and v2, and what they hold; File Location is NBIA's mistake (§2.7)."""
