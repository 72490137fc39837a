//! The sixteen domains of Circe as data: table, columns, attributes.

use std::fmt;

use farr_records::Table;
use serde::Serialize;

use crate::model::{ConceptField, Moment, Quantity};

/// What a criterion's events are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Domain {
    /// Condition eras.
    ConditionEra,
    /// Diagnoses.
    ConditionOccurrence,
    /// Deaths.
    Death,
    /// Devices.
    DeviceExposure,
    /// Dose eras.
    DoseEra,
    /// Drug eras.
    DrugEra,
    /// Drugs.
    DrugExposure,
    /// Where a person lived.
    LocationRegion,
    /// Measurements.
    Measurement,
    /// Observations.
    Observation,
    /// Observation periods.
    ObservationPeriod,
    /// Spans under one payer and plan.
    PayerPlanPeriod,
    /// Procedures.
    ProcedureOccurrence,
    /// Specimens.
    Specimen,
    /// Parts of visits.
    VisitDetail,
    /// Visits.
    VisitOccurrence,
}

/// How an event's end is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The day after its start.
    NextDay,
    /// A column; missing if that is.
    Column(&'static str),
    /// A column, else the day after the start.
    ColumnOrNextDay(&'static str),
    /// A column, else start + `days_supply`, else the day after the start.
    OfDrug,
    /// A column, else 2099-12-31.
    ColumnOrFarFuture(&'static str),
}

/// What an attribute asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asks {
    Date(Moment),
    Whole(Quantity),
    Real(Quantity),
    /// A list of concepts under the attribute's key, a concept set under the
    /// key + `CS`, and where `exclude`, a flag under the key + `Exclude`.
    Concepts {
        field: ConceptField,
        exclude: bool,
    },
    /// A concept set, by its id alone.
    ConceptSet(ConceptField),
    Text(&'static str),
    Abnormal,
    /// Read, and without effect, as in the reference.
    IgnoredDate,
    IgnoredConceptSet,
}

pub(crate) struct Attribute {
    pub(crate) key: &'static str,
    pub(crate) asks: Asks,
}

pub(crate) struct Specification {
    pub(crate) name: &'static str,
    pub(crate) table: Table,
    pub(crate) id: &'static str,
    pub(crate) start: &'static str,
    pub(crate) end: End,
    pub(crate) concept: &'static str,
    /// Whether criteria may name a concept set for `concept`.
    pub(crate) has_codeset: bool,
    /// The key of the source concept set, and its column.
    pub(crate) source: Option<(&'static str, &'static str)>,
    /// The column of the visit that the event belongs to.
    pub(crate) visit: Option<&'static str>,
    pub(crate) has_first: bool,
    pub(crate) has_user_defined_period: bool,
    /// Whether `DateAdjustment` has an effect, and may choose the date.
    pub(crate) adjusts: Adjusts,
    pub(crate) attributes: &'static [Attribute],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Adjusts {
    Yes,
    /// Offsets only: the start stays the start.
    OffsetsOnly,
    No,
}

const fn date(key: &'static str, moment: Moment) -> Attribute {
    Attribute { key, asks: Asks::Date(moment) }
}
const fn whole(key: &'static str, quantity: Quantity) -> Attribute {
    Attribute { key, asks: Asks::Whole(quantity) }
}
const fn real(key: &'static str, quantity: Quantity) -> Attribute {
    Attribute { key, asks: Asks::Real(quantity) }
}
const fn concepts(key: &'static str, column: &'static str) -> Attribute {
    Attribute { key, asks: Asks::Concepts { field: ConceptField::Column(column), exclude: false } }
}
const fn type_concepts(key: &'static str, column: &'static str) -> Attribute {
    Attribute { key, asks: Asks::Concepts { field: ConceptField::Column(column), exclude: true } }
}
const fn field(key: &'static str, field: ConceptField) -> Attribute {
    Attribute { key, asks: Asks::Concepts { field, exclude: false } }
}
const fn set(key: &'static str, column: &'static str) -> Attribute {
    Attribute { key, asks: Asks::ConceptSet(ConceptField::Column(column)) }
}
const fn text(key: &'static str, column: &'static str) -> Attribute {
    Attribute { key, asks: Asks::Text(column) }
}

const OCCURRENCE_START: Attribute = date("OccurrenceStartDate", Moment::Start);
const OCCURRENCE_END: Attribute = date("OccurrenceEndDate", Moment::End);
const ERA_START: Attribute = date("EraStartDate", Moment::Start);
const ERA_END: Attribute = date("EraEndDate", Moment::End);
const ERA_LENGTH: Attribute = whole("EraLength", Quantity::Length);
const AGE: Attribute = whole("Age", Quantity::Age(Moment::Start));
const AGE_AT_START: Attribute = whole("AgeAtStart", Quantity::Age(Moment::Start));
const AGE_AT_END: Attribute = whole("AgeAtEnd", Quantity::Age(Moment::End));
const GENDER: Attribute = field("Gender", ConceptField::Gender);
const PROVIDER: Attribute = field("ProviderSpecialty", ConceptField::ProviderSpecialty);
const VISIT: Attribute = field("VisitType", ConceptField::VisitConcept);
const PLACE: Attribute = field("PlaceOfService", ConceptField::PlaceOfService);
const REGION: Attribute = Attribute {
    key: "PlaceOfServiceLocation",
    asks: Asks::ConceptSet(ConceptField::PlaceOfServiceRegion),
};
const VISIT_ID: Option<&str> = Some("visit_occurrence_id");

impl Domain {
    /// Every domain.
    pub const ALL: [Self; 16] = [
        Self::ConditionEra,
        Self::ConditionOccurrence,
        Self::Death,
        Self::DeviceExposure,
        Self::DoseEra,
        Self::DrugEra,
        Self::DrugExposure,
        Self::LocationRegion,
        Self::Measurement,
        Self::Observation,
        Self::ObservationPeriod,
        Self::PayerPlanPeriod,
        Self::ProcedureOccurrence,
        Self::Specimen,
        Self::VisitDetail,
        Self::VisitOccurrence,
    ];

    /// Circe's name of it.
    pub fn name(self) -> &'static str {
        self.specification().name
    }

    /// The domain of Circe's name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|domain| domain.name() == name)
    }

    /// The table its events lie in.
    pub fn table(self) -> Table {
        self.specification().table
    }

    pub(crate) fn specification(self) -> &'static Specification {
        match self {
            Self::ConditionEra => &CONDITION_ERA,
            Self::ConditionOccurrence => &CONDITION_OCCURRENCE,
            Self::Death => &DEATH,
            Self::DeviceExposure => &DEVICE_EXPOSURE,
            Self::DoseEra => &DOSE_ERA,
            Self::DrugEra => &DRUG_ERA,
            Self::DrugExposure => &DRUG_EXPOSURE,
            Self::LocationRegion => &LOCATION_REGION,
            Self::Measurement => &MEASUREMENT,
            Self::Observation => &OBSERVATION,
            Self::ObservationPeriod => &OBSERVATION_PERIOD,
            Self::PayerPlanPeriod => &PAYER_PLAN_PERIOD,
            Self::ProcedureOccurrence => &PROCEDURE_OCCURRENCE,
            Self::Specimen => &SPECIMEN,
            Self::VisitDetail => &VISIT_DETAIL,
            Self::VisitOccurrence => &VISIT_OCCURRENCE,
        }
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

static CONDITION_ERA: Specification = Specification {
    name: "ConditionEra",
    table: Table::ConditionEra,
    id: "condition_era_id",
    start: "condition_era_start_date",
    end: End::Column("condition_era_end_date"),
    concept: "condition_concept_id",
    has_codeset: true,
    source: None,
    visit: None,
    has_first: true,
    has_user_defined_period: false,
    adjusts: Adjusts::Yes,
    attributes: &[
        ERA_START,
        ERA_END,
        whole("OccurrenceCount", Quantity::Column("condition_occurrence_count")),
        ERA_LENGTH,
        AGE_AT_START,
        AGE_AT_END,
        GENDER,
    ],
};

static CONDITION_OCCURRENCE: Specification = Specification {
    name: "ConditionOccurrence",
    table: Table::ConditionOccurrence,
    id: "condition_occurrence_id",
    start: "condition_start_date",
    end: End::ColumnOrNextDay("condition_end_date"),
    concept: "condition_concept_id",
    has_codeset: true,
    source: Some(("ConditionSourceConcept", "condition_source_concept_id")),
    visit: VISIT_ID,
    has_first: true,
    has_user_defined_period: false,
    adjusts: Adjusts::Yes,
    attributes: &[
        OCCURRENCE_START,
        OCCURRENCE_END,
        type_concepts("ConditionType", "condition_type_concept_id"),
        text("StopReason", "stop_reason"),
        AGE,
        GENDER,
        PROVIDER,
        VISIT,
        concepts("ConditionStatus", "condition_status_concept_id"),
    ],
};

static DEATH: Specification = Specification {
    name: "Death",
    table: Table::Death,
    id: "person_id",
    start: "death_date",
    end: End::NextDay,
    concept: "cause_concept_id",
    has_codeset: true,
    source: Some(("DeathSourceConcept", "cause_source_concept_id")),
    visit: None,
    has_first: false,
    has_user_defined_period: false,
    adjusts: Adjusts::OffsetsOnly,
    attributes: &[
        OCCURRENCE_START,
        type_concepts("DeathType", "death_type_concept_id"),
        AGE,
        GENDER,
    ],
};

static DEVICE_EXPOSURE: Specification = Specification {
    name: "DeviceExposure",
    table: Table::DeviceExposure,
    id: "device_exposure_id",
    start: "device_exposure_start_date",
    end: End::ColumnOrNextDay("device_exposure_end_date"),
    concept: "device_concept_id",
    has_codeset: true,
    source: Some(("DeviceSourceConcept", "device_source_concept_id")),
    visit: VISIT_ID,
    has_first: true,
    has_user_defined_period: false,
    adjusts: Adjusts::Yes,
    attributes: &[
        OCCURRENCE_START,
        OCCURRENCE_END,
        type_concepts("DeviceType", "device_type_concept_id"),
        text("UniqueDeviceId", "unique_device_id"),
        whole("Quantity", Quantity::Column("quantity")),
        AGE,
        GENDER,
        PROVIDER,
        VISIT,
    ],
};

static DOSE_ERA: Specification = Specification {
    name: "DoseEra",
    table: Table::DoseEra,
    id: "dose_era_id",
    start: "dose_era_start_date",
    end: End::Column("dose_era_end_date"),
    concept: "drug_concept_id",
    has_codeset: true,
    source: None,
    visit: None,
    has_first: true,
    has_user_defined_period: false,
    adjusts: Adjusts::Yes,
    attributes: &[
        ERA_START,
        ERA_END,
        concepts("Unit", "unit_concept_id"),
        real("DoseValue", Quantity::Column("dose_value")),
        ERA_LENGTH,
        AGE_AT_START,
        AGE_AT_END,
        GENDER,
    ],
};

static DRUG_ERA: Specification = Specification {
    name: "DrugEra",
    table: Table::DrugEra,
    id: "drug_era_id",
    start: "drug_era_start_date",
    end: End::Column("drug_era_end_date"),
    concept: "drug_concept_id",
    has_codeset: true,
    source: None,
    visit: None,
    has_first: true,
    has_user_defined_period: false,
    adjusts: Adjusts::Yes,
    attributes: &[
        ERA_START,
        ERA_END,
        whole("OccurrenceCount", Quantity::Column("drug_exposure_count")),
        ERA_LENGTH,
        // The parser holds it against the range of `EraLength`, as the
        // reference does.
        whole("GapDays", Quantity::Column("gap_days")),
        AGE_AT_START,
        AGE_AT_END,
        GENDER,
    ],
};

static DRUG_EXPOSURE: Specification = Specification {
    name: "DrugExposure",
    table: Table::DrugExposure,
    id: "drug_exposure_id",
    start: "drug_exposure_start_date",
    end: End::OfDrug,
    concept: "drug_concept_id",
    has_codeset: true,
    source: Some(("DrugSourceConcept", "drug_source_concept_id")),
    visit: VISIT_ID,
    has_first: true,
    has_user_defined_period: false,
    adjusts: Adjusts::Yes,
    attributes: &[
        OCCURRENCE_START,
        // Tests the start date in the reference.
        date("OccurrenceEndDate", Moment::Start),
        type_concepts("DrugType", "drug_type_concept_id"),
        text("StopReason", "stop_reason"),
        whole("Refills", Quantity::Column("refills")),
        real("Quantity", Quantity::Column("quantity")),
        whole("DaysSupply", Quantity::Column("days_supply")),
        concepts("RouteConcept", "route_concept_id"),
        real("EffectiveDrugDose", Quantity::Column("effective_drug_dose")),
        concepts("DoseUnit", "dose_unit_concept_id"),
        text("LotNumber", "lot_number"),
        AGE,
        GENDER,
        PROVIDER,
        VISIT,
    ],
};

static LOCATION_REGION: Specification = Specification {
    name: "LocationRegion",
    table: Table::LocationHistory,
    id: "location_history_id",
    start: "start_date",
    end: End::ColumnOrFarFuture("end_date"),
    concept: "region_concept_id",
    has_codeset: true,
    source: None,
    visit: None,
    has_first: false,
    has_user_defined_period: false,
    adjusts: Adjusts::No,
    attributes: &[
        Attribute { key: "StartDate", asks: Asks::IgnoredDate },
        Attribute { key: "EndDate", asks: Asks::IgnoredDate },
    ],
};

static MEASUREMENT: Specification = Specification {
    name: "Measurement",
    table: Table::Measurement,
    id: "measurement_id",
    start: "measurement_date",
    end: End::NextDay,
    concept: "measurement_concept_id",
    has_codeset: true,
    source: Some(("MeasurementSourceConcept", "measurement_source_concept_id")),
    visit: VISIT_ID,
    has_first: true,
    has_user_defined_period: false,
    adjusts: Adjusts::Yes,
    attributes: &[
        OCCURRENCE_START,
        type_concepts("MeasurementType", "measurement_type_concept_id"),
        concepts("Operator", "operator_concept_id"),
        real("ValueAsNumber", Quantity::Column("value_as_number")),
        concepts("ValueAsConcept", "value_as_concept_id"),
        concepts("Unit", "unit_concept_id"),
        real("RangeLow", Quantity::Column("range_low")),
        real("RangeHigh", Quantity::Column("range_high")),
        real("RangeLowRatio", Quantity::Ratio("range_low")),
        real("RangeHighRatio", Quantity::Ratio("range_high")),
        Attribute { key: "Abnormal", asks: Asks::Abnormal },
        AGE,
        GENDER,
        PROVIDER,
        VISIT,
    ],
};

static OBSERVATION: Specification = Specification {
    name: "Observation",
    table: Table::Observation,
    id: "observation_id",
    start: "observation_date",
    end: End::NextDay,
    concept: "observation_concept_id",
    has_codeset: true,
    source: Some(("ObservationSourceConcept", "observation_source_concept_id")),
    visit: VISIT_ID,
    has_first: true,
    has_user_defined_period: false,
    adjusts: Adjusts::Yes,
    attributes: &[
        OCCURRENCE_START,
        type_concepts("ObservationType", "observation_type_concept_id"),
        real("ValueAsNumber", Quantity::Column("value_as_number")),
        text("ValueAsString", "value_as_string"),
        concepts("ValueAsConcept", "value_as_concept_id"),
        concepts("Qualifier", "qualifier_concept_id"),
        concepts("Unit", "unit_concept_id"),
        AGE,
        GENDER,
        PROVIDER,
        VISIT,
    ],
};

static OBSERVATION_PERIOD: Specification = Specification {
    name: "ObservationPeriod",
    table: Table::ObservationPeriod,
    id: "observation_period_id",
    start: "observation_period_start_date",
    end: End::Column("observation_period_end_date"),
    concept: "period_type_concept_id",
    has_codeset: false,
    source: None,
    visit: None,
    has_first: true,
    has_user_defined_period: true,
    adjusts: Adjusts::Yes,
    attributes: &[
        date("PeriodStartDate", Moment::Start),
        date("PeriodEndDate", Moment::End),
        concepts("PeriodType", "period_type_concept_id"),
        whole("PeriodLength", Quantity::Length),
        AGE_AT_START,
        AGE_AT_END,
    ],
};

static PAYER_PLAN_PERIOD: Specification = Specification {
    name: "PayerPlanPeriod",
    table: Table::PayerPlanPeriod,
    id: "payer_plan_period_id",
    start: "payer_plan_period_start_date",
    end: End::Column("payer_plan_period_end_date"),
    concept: "payer_concept_id",
    has_codeset: false,
    source: None,
    visit: None,
    has_first: true,
    has_user_defined_period: true,
    adjusts: Adjusts::Yes,
    attributes: &[
        date("PeriodStartDate", Moment::Start),
        date("PeriodEndDate", Moment::End),
        whole("PeriodLength", Quantity::Length),
        AGE_AT_START,
        AGE_AT_END,
        GENDER,
        set("PayerConcept", "payer_concept_id"),
        set("PlanConcept", "plan_concept_id"),
        set("SponsorConcept", "sponsor_concept_id"),
        set("StopReasonConcept", "stop_reason_concept_id"),
        set("PayerSourceConcept", "payer_source_concept_id"),
        set("PlanSourceConcept", "plan_source_concept_id"),
        set("SponsorSourceConcept", "sponsor_source_concept_id"),
        set("StopReasonSourceConcept", "stop_reason_source_concept_id"),
    ],
};

static PROCEDURE_OCCURRENCE: Specification = Specification {
    name: "ProcedureOccurrence",
    table: Table::ProcedureOccurrence,
    id: "procedure_occurrence_id",
    start: "procedure_date",
    end: End::NextDay,
    concept: "procedure_concept_id",
    has_codeset: true,
    source: Some(("ProcedureSourceConcept", "procedure_source_concept_id")),
    visit: VISIT_ID,
    has_first: true,
    has_user_defined_period: false,
    adjusts: Adjusts::Yes,
    attributes: &[
        OCCURRENCE_START,
        type_concepts("ProcedureType", "procedure_type_concept_id"),
        concepts("Modifier", "modifier_concept_id"),
        whole("Quantity", Quantity::Column("quantity")),
        AGE,
        GENDER,
        PROVIDER,
        VISIT,
    ],
};

static SPECIMEN: Specification = Specification {
    name: "Specimen",
    table: Table::Specimen,
    id: "specimen_id",
    start: "specimen_date",
    end: End::NextDay,
    concept: "specimen_concept_id",
    has_codeset: true,
    source: None,
    visit: None,
    has_first: true,
    has_user_defined_period: false,
    adjusts: Adjusts::No,
    attributes: &[
        OCCURRENCE_START,
        type_concepts("SpecimenType", "specimen_type_concept_id"),
        real("Quantity", Quantity::Column("quantity")),
        concepts("Unit", "unit_concept_id"),
        concepts("AnatomicSite", "anatomic_site_concept_id"),
        concepts("DiseaseStatus", "disease_status_concept_id"),
        text("SourceId", "specimen_source_id"),
        Attribute { key: "SpecimenSourceConcept", asks: Asks::IgnoredConceptSet },
        AGE,
        GENDER,
    ],
};

static VISIT_DETAIL: Specification = Specification {
    name: "VisitDetail",
    table: Table::VisitDetail,
    id: "visit_detail_id",
    start: "visit_detail_start_date",
    end: End::Column("visit_detail_end_date"),
    concept: "visit_detail_concept_id",
    has_codeset: true,
    source: Some(("VisitDetailSourceConcept", "visit_detail_source_concept_id")),
    visit: VISIT_ID,
    has_first: true,
    has_user_defined_period: false,
    adjusts: Adjusts::Yes,
    attributes: &[
        date("VisitDetailStartDate", Moment::Start),
        date("VisitDetailEndDate", Moment::End),
        concepts("VisitDetailType", "visit_detail_type_concept_id"),
        whole("VisitDetailLength", Quantity::Length),
        // At the end date in the reference.
        whole("Age", Quantity::Age(Moment::End)),
        GENDER,
        PROVIDER,
        PLACE,
        REGION,
    ],
};

static VISIT_OCCURRENCE: Specification = Specification {
    name: "VisitOccurrence",
    table: Table::VisitOccurrence,
    id: "visit_occurrence_id",
    start: "visit_start_date",
    end: End::Column("visit_end_date"),
    concept: "visit_concept_id",
    has_codeset: true,
    source: Some(("VisitSourceConcept", "visit_source_concept_id")),
    visit: VISIT_ID,
    has_first: true,
    has_user_defined_period: false,
    adjusts: Adjusts::Yes,
    attributes: &[
        OCCURRENCE_START,
        OCCURRENCE_END,
        type_concepts("VisitType", "visit_type_concept_id"),
        whole("VisitLength", Quantity::Length),
        AGE,
        GENDER,
        PROVIDER,
        PLACE,
        REGION,
    ],
};
