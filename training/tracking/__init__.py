"""MLflow: runs, figures, registered versions."""
