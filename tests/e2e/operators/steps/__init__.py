"""The steps, in their order: each takes the site, asserts, and says what it saw."""

from tests.e2e.operators.steps import device, door, modality, promoter, scale, vault, watch

STEPS = (
    door.a_certificate_by_cert_manager_is_at_the_door_and_renewed_without_a_restart,
    scale.keda_adds_inference_on_waiting_films_and_takes_it_away,
    scale.the_hpa_adds_inference_on_cpu_and_takes_it_away,
    modality.dicom_goes_in_by_tls_from_hosts_on_the_list_alone,
    promoter.the_promoter_runs_in_the_cluster_commits_and_may_do_no_more,
    device.gpu_values_take_a_slot_and_without_cuda_the_server_says_so,
    device.a_gpu_resource_that_no_node_has_leaves_the_pod_pending_with_a_sentence,
    device.blue_green_takes_two_slots_and_says_so_where_there_is_one,
    watch.the_prometheus_operator_finds_each_pod_once_and_evaluates_the_rules,
    vault.secrets_come_out_of_a_vault_and_stay_when_it_forgets_them,
    vault.a_missing_secret_and_a_second_environment_are_told_by_name,
    door.an_expired_certificate_is_refused_by_browsers_and_counted_at_the_door,
)
