"""What the tables of `peers.py` look like, for all who write them."""

# Tables of persons: start date and id, by which their rows are sorted.
ORDER = {
    "person": (),
    "death": ("death_date",),
    "observation_period": ("observation_period_start_date", "observation_period_id"),
    "visit_occurrence": ("visit_start_date", "visit_occurrence_id"),
    "visit_detail": ("visit_detail_start_date", "visit_detail_id"),
    "condition_occurrence": ("condition_start_date", "condition_occurrence_id"),
    "drug_exposure": ("drug_exposure_start_date", "drug_exposure_id"),
    "procedure_occurrence": ("procedure_date", "procedure_occurrence_id"),
    "device_exposure": ("device_exposure_start_date", "device_exposure_id"),
    "measurement": ("measurement_date", "measurement_id"),
    "observation": ("observation_date", "observation_id"),
    "payer_plan_period": ("payer_plan_period_start_date", "payer_plan_period_id"),
    "cost": ("cost_id",),
    "condition_era": ("condition_era_start_date", "condition_era_id"),
    "drug_era": ("drug_era_start_date", "drug_era_id"),
}

# Days from which a person was observed, and to which: starts and ends of records.
DAYS = {
    "visit_occurrence": ("visit_start_date", "visit_end_date"),
    "visit_detail": ("visit_detail_start_date", "visit_detail_end_date"),
    "condition_occurrence": ("condition_start_date", "condition_end_date"),
    "drug_exposure": ("drug_exposure_start_date", "drug_exposure_end_date"),
    "procedure_occurrence": ("procedure_date", "procedure_end_date"),
    "device_exposure": ("device_exposure_start_date",) * 2,
    "measurement": ("measurement_date",) * 2,
    "observation": ("observation_date",) * 2,
    "death": ("death_date",) * 2,
}
