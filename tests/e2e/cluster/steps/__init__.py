"""What is proven, a function each; their names are the log. `CI` is the short subset that is always the same."""

from __future__ import annotations

from collections.abc import Callable

from tests.e2e.cluster.site import Site
from tests.e2e.cluster.steps import commits, faults, gate, journeys, privacy, start

Step = Callable[[Site], str]

STEPS: tuple[Step, ...] = (
    start.images_are_built_and_pushed_by_digest,
    start.namespaces_and_secrets_are_there,
    start.one_application_brings_up_everything,
    journeys.films_go_in_by_https_and_are_scored,
    journeys.a_radiologist_uploads_and_reads_three_studies_in_chromium,
    journeys.a_modality_sends_a_film_by_c_store,
    journeys.a_read_given_twice_is_in_the_ledger_once,
    journeys.reads_lie_in_the_object_store,
    journeys.a_run_and_a_release_are_in_mlflow,
    journeys.metrics_are_in_prometheus,
    journeys.what_no_policy_allows_is_refused,
    commits.drift_made_by_hand_is_healed,
    commits.a_commit_scales,
    commits.a_commit_changes_a_setting,
    commits.a_broken_values_file_is_refused_and_what_runs_keeps_running,
    commits.a_bad_image_leaves_production_serving,
    commits.new_images_under_load_fail_no_request,
    faults.a_deleted_pod_of_each_service_fails_no_request,
    faults.postgresql_goes_and_comes_back,
    faults.the_object_store_goes_and_comes_back,
    faults.a_rotated_database_password_holds,
    faults.a_backup_is_restored,
    commits.a_removed_environment_loses_nothing,
    gate.canarys_analysis_asks_the_reading_room_and_waits_for_evidence,
    privacy.nobody_is_named_in_logs_metrics_and_events,
    start.memory_is_counted,
)
CI: tuple[Step, ...] = (
    start.images_are_built_and_pushed_by_digest,
    start.namespaces_and_secrets_are_there,
    start.one_application_brings_up_everything,
    journeys.films_go_in_by_https_and_are_scored,
    journeys.a_read_given_twice_is_in_the_ledger_once,
    journeys.what_no_policy_allows_is_refused,
    commits.drift_made_by_hand_is_healed,
    commits.a_broken_values_file_is_refused_and_what_runs_keeps_running,
    commits.new_images_under_load_fail_no_request,
    start.memory_is_counted,
)
