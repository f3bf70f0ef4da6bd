"""DICOM in and out: C-STORE and DICOMweb in, what was stored given back, results sent to an archive."""
