//! The tables of the OMOP CDM v5.4 and their columns, as data.
//!
//! Column names are OMOP's, unchanged. Where Circe reads columns of other CDM
//! versions, or farr needs one more, the table's doc says so.

use std::fmt;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The person: Int64, never null.
    Person,
    /// A row's id, or a reference to one: Int64.
    Id,
    /// A concept: Int64.
    Concept,
    /// A whole number: Int64.
    Integer,
    /// A real number: Float64.
    Number,
    /// A day: Date32.
    Date,
    /// A local date and time without zone: Timestamp in microseconds.
    Datetime,
    /// Text: Utf8.
    Text,
}

impl Kind {
    /// The Arrow type of the kind.
    pub fn data_type(self) -> DataType {
        match self {
            Self::Person | Self::Id | Self::Concept | Self::Integer => DataType::Int64,
            Self::Number => DataType::Float64,
            Self::Date => DataType::Date32,
            Self::Datetime => DataType::Timestamp(TimeUnit::Microsecond, None),
            Self::Text => DataType::Utf8,
        }
    }
}

/// A column of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// OMOP's name.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
}

/// How a table is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Rows of persons: sharded, sorted by person, start date and id.
    Person,
    /// Rows of the site: one piece.
    Site,
    /// Rows of the vocabulary: one piece.
    Vocabulary,
}

struct Definition {
    name: &'static str,
    scope: Scope,
    id: Option<&'static str>,
    start: Option<&'static str>,
    end: Option<&'static str>,
    columns: &'static [Column],
}

const fn person(name: &'static str) -> Column {
    Column { name, kind: Kind::Person }
}
const fn id(name: &'static str) -> Column {
    Column { name, kind: Kind::Id }
}
const fn concept(name: &'static str) -> Column {
    Column { name, kind: Kind::Concept }
}
const fn integer(name: &'static str) -> Column {
    Column { name, kind: Kind::Integer }
}
const fn number(name: &'static str) -> Column {
    Column { name, kind: Kind::Number }
}
const fn date(name: &'static str) -> Column {
    Column { name, kind: Kind::Date }
}
const fn datetime(name: &'static str) -> Column {
    Column { name, kind: Kind::Datetime }
}
const fn text(name: &'static str) -> Column {
    Column { name, kind: Kind::Text }
}

/// A table of the OMOP CDM.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    /// One row a person.
    Person,
    /// Spans in which events of a person would have been seen.
    ObservationPeriod,
    /// Encounters.
    VisitOccurrence,
    /// Parts of encounters.
    VisitDetail,
    /// Diagnoses.
    ConditionOccurrence,
    /// Prescriptions, dispensings, administrations, vaccinations. The last two columns are of CDM 5.0; Circe reads them.
    DrugExposure,
    /// Procedures.
    ProcedureOccurrence,
    /// Devices and supplies.
    DeviceExposure,
    /// Laboratory values and vital signs.
    Measurement,
    /// Facts that fit no other table.
    Observation,
    /// Deaths.
    Death,
    /// Samples.
    Specimen,
    /// Free text.
    Note,
    /// Spans under one payer and plan.
    PayerPlanPeriod,
    /// What events cost. `person_id` is added to the columns of CDM 5.4, so that costs lie with their persons.
    Cost,
    /// Exposures to one ingredient, joined over gaps.
    DrugEra,
    /// Exposures to one ingredient at one dose.
    DoseEra,
    /// Occurrences of one condition, joined over gaps.
    ConditionEra,
    /// Abstract courses of disease or treatment.
    Episode,
    /// Where persons lived (CDM 6.0; Circe reads it). `entity_id` is the person.
    LocationHistory,
    /// Places. The last column is of CDM 6.0; Circe reads it.
    Location,
    /// Where care is given.
    CareSite,
    /// Who gives care.
    Provider,
    /// Terms found in notes.
    NoteNlp,
    /// Which events an episode is made of.
    EpisodeEvent,
    /// Relations between rows.
    FactRelationship,
    /// What the source says of itself.
    CdmSource,
    /// More of what the source says of itself.
    Metadata,
    /// Concepts.
    Concept,
    /// Relations between concepts.
    ConceptRelationship,
    /// Ancestors and descendants of concepts.
    ConceptAncestor,
    /// Other names of concepts.
    ConceptSynonym,
    /// Classes of concepts.
    ConceptClass,
    /// Vocabularies.
    Vocabulary,
    /// Domains.
    Domain,
    /// Kinds of relations.
    Relationship,
    /// A site's own mappings.
    SourceToConceptMap,
    /// How much of each ingredient a drug has.
    DrugStrength,
}

impl Table {
    /// Every table, persons' first.
    pub const ALL: [Self; 38] = [
        Self::Person,
        Self::ObservationPeriod,
        Self::VisitOccurrence,
        Self::VisitDetail,
        Self::ConditionOccurrence,
        Self::DrugExposure,
        Self::ProcedureOccurrence,
        Self::DeviceExposure,
        Self::Measurement,
        Self::Observation,
        Self::Death,
        Self::Specimen,
        Self::Note,
        Self::PayerPlanPeriod,
        Self::Cost,
        Self::DrugEra,
        Self::DoseEra,
        Self::ConditionEra,
        Self::Episode,
        Self::LocationHistory,
        Self::Location,
        Self::CareSite,
        Self::Provider,
        Self::NoteNlp,
        Self::EpisodeEvent,
        Self::FactRelationship,
        Self::CdmSource,
        Self::Metadata,
        Self::Concept,
        Self::ConceptRelationship,
        Self::ConceptAncestor,
        Self::ConceptSynonym,
        Self::ConceptClass,
        Self::Vocabulary,
        Self::Domain,
        Self::Relationship,
        Self::SourceToConceptMap,
        Self::DrugStrength,
    ];

    /// OMOP's name of the table, in lower case.
    pub fn name(self) -> &'static str {
        self.definition().name
    }

    /// The table of a name, whatever its case.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|table| table.name().eq_ignore_ascii_case(name))
    }

    /// How the table is kept.
    pub fn scope(self) -> Scope {
        self.definition().scope
    }

    /// Its columns, in OMOP's order.
    pub fn columns(self) -> &'static [Column] {
        self.definition().columns
    }

    /// The column of a name, in lower case.
    pub fn column(self, name: &str) -> Option<Column> {
        self.columns().iter().copied().find(|column| column.name == name)
    }

    /// The column that holds the person, in tables of persons.
    pub fn person_column(self) -> Option<&'static str> {
        self.columns().iter().find(|column| column.kind == Kind::Person).map(|column| column.name)
    }

    /// The column that holds the row's id.
    pub fn id_column(self) -> Option<&'static str> {
        self.definition().id
    }

    /// The column that holds the day on which the row's event starts.
    pub fn start_column(self) -> Option<&'static str> {
        self.definition().start
    }

    /// The column that holds the day on which the row's event ends.
    pub fn end_column(self) -> Option<&'static str> {
        self.definition().end
    }

    /// The Arrow schema: every column, nullable but for the person.
    pub fn schema(self) -> SchemaRef {
        let field = |column: &Column| {
            Field::new(column.name, column.kind.data_type(), column.kind != Kind::Person)
        };
        Arc::new(Schema::new(self.columns().iter().map(field).collect::<Vec<_>>()))
    }

    fn definition(self) -> &'static Definition {
        match self {
            Self::Person => &PERSON,
            Self::ObservationPeriod => &OBSERVATION_PERIOD,
            Self::VisitOccurrence => &VISIT_OCCURRENCE,
            Self::VisitDetail => &VISIT_DETAIL,
            Self::ConditionOccurrence => &CONDITION_OCCURRENCE,
            Self::DrugExposure => &DRUG_EXPOSURE,
            Self::ProcedureOccurrence => &PROCEDURE_OCCURRENCE,
            Self::DeviceExposure => &DEVICE_EXPOSURE,
            Self::Measurement => &MEASUREMENT,
            Self::Observation => &OBSERVATION,
            Self::Death => &DEATH,
            Self::Specimen => &SPECIMEN,
            Self::Note => &NOTE,
            Self::PayerPlanPeriod => &PAYER_PLAN_PERIOD,
            Self::Cost => &COST,
            Self::DrugEra => &DRUG_ERA,
            Self::DoseEra => &DOSE_ERA,
            Self::ConditionEra => &CONDITION_ERA,
            Self::Episode => &EPISODE,
            Self::LocationHistory => &LOCATION_HISTORY,
            Self::Location => &LOCATION,
            Self::CareSite => &CARE_SITE,
            Self::Provider => &PROVIDER,
            Self::NoteNlp => &NOTE_NLP,
            Self::EpisodeEvent => &EPISODE_EVENT,
            Self::FactRelationship => &FACT_RELATIONSHIP,
            Self::CdmSource => &CDM_SOURCE,
            Self::Metadata => &METADATA,
            Self::Concept => &CONCEPT,
            Self::ConceptRelationship => &CONCEPT_RELATIONSHIP,
            Self::ConceptAncestor => &CONCEPT_ANCESTOR,
            Self::ConceptSynonym => &CONCEPT_SYNONYM,
            Self::ConceptClass => &CONCEPT_CLASS,
            Self::Vocabulary => &VOCABULARY,
            Self::Domain => &DOMAIN,
            Self::Relationship => &RELATIONSHIP,
            Self::SourceToConceptMap => &SOURCE_TO_CONCEPT_MAP,
            Self::DrugStrength => &DRUG_STRENGTH,
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

static PERSON: Definition = Definition {
    name: "person",
    scope: Scope::Person,
    id: Some("person_id"),
    start: None,
    end: None,
    columns: &[
        person("person_id"),
        concept("gender_concept_id"),
        integer("year_of_birth"),
        integer("month_of_birth"),
        integer("day_of_birth"),
        datetime("birth_datetime"),
        concept("race_concept_id"),
        concept("ethnicity_concept_id"),
        id("location_id"),
        id("provider_id"),
        id("care_site_id"),
        text("person_source_value"),
        text("gender_source_value"),
        concept("gender_source_concept_id"),
        text("race_source_value"),
        concept("race_source_concept_id"),
        text("ethnicity_source_value"),
        concept("ethnicity_source_concept_id"),
    ],
};

static OBSERVATION_PERIOD: Definition = Definition {
    name: "observation_period",
    scope: Scope::Person,
    id: Some("observation_period_id"),
    start: Some("observation_period_start_date"),
    end: Some("observation_period_end_date"),
    columns: &[
        id("observation_period_id"),
        person("person_id"),
        date("observation_period_start_date"),
        date("observation_period_end_date"),
        concept("period_type_concept_id"),
    ],
};

static VISIT_OCCURRENCE: Definition = Definition {
    name: "visit_occurrence",
    scope: Scope::Person,
    id: Some("visit_occurrence_id"),
    start: Some("visit_start_date"),
    end: Some("visit_end_date"),
    columns: &[
        id("visit_occurrence_id"),
        person("person_id"),
        concept("visit_concept_id"),
        date("visit_start_date"),
        datetime("visit_start_datetime"),
        date("visit_end_date"),
        datetime("visit_end_datetime"),
        concept("visit_type_concept_id"),
        id("provider_id"),
        id("care_site_id"),
        text("visit_source_value"),
        concept("visit_source_concept_id"),
        concept("admitted_from_concept_id"),
        text("admitted_from_source_value"),
        concept("discharged_to_concept_id"),
        text("discharged_to_source_value"),
        id("preceding_visit_occurrence_id"),
    ],
};

static VISIT_DETAIL: Definition = Definition {
    name: "visit_detail",
    scope: Scope::Person,
    id: Some("visit_detail_id"),
    start: Some("visit_detail_start_date"),
    end: Some("visit_detail_end_date"),
    columns: &[
        id("visit_detail_id"),
        person("person_id"),
        concept("visit_detail_concept_id"),
        date("visit_detail_start_date"),
        datetime("visit_detail_start_datetime"),
        date("visit_detail_end_date"),
        datetime("visit_detail_end_datetime"),
        concept("visit_detail_type_concept_id"),
        id("provider_id"),
        id("care_site_id"),
        text("visit_detail_source_value"),
        concept("visit_detail_source_concept_id"),
        concept("admitted_from_concept_id"),
        text("admitted_from_source_value"),
        text("discharged_to_source_value"),
        concept("discharged_to_concept_id"),
        id("preceding_visit_detail_id"),
        id("parent_visit_detail_id"),
        id("visit_occurrence_id"),
    ],
};

static CONDITION_OCCURRENCE: Definition = Definition {
    name: "condition_occurrence",
    scope: Scope::Person,
    id: Some("condition_occurrence_id"),
    start: Some("condition_start_date"),
    end: Some("condition_end_date"),
    columns: &[
        id("condition_occurrence_id"),
        person("person_id"),
        concept("condition_concept_id"),
        date("condition_start_date"),
        datetime("condition_start_datetime"),
        date("condition_end_date"),
        datetime("condition_end_datetime"),
        concept("condition_type_concept_id"),
        concept("condition_status_concept_id"),
        text("stop_reason"),
        id("provider_id"),
        id("visit_occurrence_id"),
        id("visit_detail_id"),
        text("condition_source_value"),
        concept("condition_source_concept_id"),
        text("condition_status_source_value"),
    ],
};

static DRUG_EXPOSURE: Definition = Definition {
    name: "drug_exposure",
    scope: Scope::Person,
    id: Some("drug_exposure_id"),
    start: Some("drug_exposure_start_date"),
    end: Some("drug_exposure_end_date"),
    columns: &[
        id("drug_exposure_id"),
        person("person_id"),
        concept("drug_concept_id"),
        date("drug_exposure_start_date"),
        datetime("drug_exposure_start_datetime"),
        date("drug_exposure_end_date"),
        datetime("drug_exposure_end_datetime"),
        date("verbatim_end_date"),
        concept("drug_type_concept_id"),
        text("stop_reason"),
        integer("refills"),
        number("quantity"),
        integer("days_supply"),
        text("sig"),
        concept("route_concept_id"),
        text("lot_number"),
        id("provider_id"),
        id("visit_occurrence_id"),
        id("visit_detail_id"),
        text("drug_source_value"),
        concept("drug_source_concept_id"),
        text("route_source_value"),
        text("dose_unit_source_value"),
        number("effective_drug_dose"),
        concept("dose_unit_concept_id"),
    ],
};

static PROCEDURE_OCCURRENCE: Definition = Definition {
    name: "procedure_occurrence",
    scope: Scope::Person,
    id: Some("procedure_occurrence_id"),
    start: Some("procedure_date"),
    end: Some("procedure_end_date"),
    columns: &[
        id("procedure_occurrence_id"),
        person("person_id"),
        concept("procedure_concept_id"),
        date("procedure_date"),
        datetime("procedure_datetime"),
        date("procedure_end_date"),
        datetime("procedure_end_datetime"),
        concept("procedure_type_concept_id"),
        concept("modifier_concept_id"),
        integer("quantity"),
        id("provider_id"),
        id("visit_occurrence_id"),
        id("visit_detail_id"),
        text("procedure_source_value"),
        concept("procedure_source_concept_id"),
        text("modifier_source_value"),
    ],
};

static DEVICE_EXPOSURE: Definition = Definition {
    name: "device_exposure",
    scope: Scope::Person,
    id: Some("device_exposure_id"),
    start: Some("device_exposure_start_date"),
    end: Some("device_exposure_end_date"),
    columns: &[
        id("device_exposure_id"),
        person("person_id"),
        concept("device_concept_id"),
        date("device_exposure_start_date"),
        datetime("device_exposure_start_datetime"),
        date("device_exposure_end_date"),
        datetime("device_exposure_end_datetime"),
        concept("device_type_concept_id"),
        text("unique_device_id"),
        text("production_id"),
        integer("quantity"),
        id("provider_id"),
        id("visit_occurrence_id"),
        id("visit_detail_id"),
        text("device_source_value"),
        concept("device_source_concept_id"),
        concept("unit_concept_id"),
        text("unit_source_value"),
        concept("unit_source_concept_id"),
    ],
};

static MEASUREMENT: Definition = Definition {
    name: "measurement",
    scope: Scope::Person,
    id: Some("measurement_id"),
    start: Some("measurement_date"),
    end: None,
    columns: &[
        id("measurement_id"),
        person("person_id"),
        concept("measurement_concept_id"),
        date("measurement_date"),
        datetime("measurement_datetime"),
        text("measurement_time"),
        concept("measurement_type_concept_id"),
        concept("operator_concept_id"),
        number("value_as_number"),
        concept("value_as_concept_id"),
        concept("unit_concept_id"),
        number("range_low"),
        number("range_high"),
        id("provider_id"),
        id("visit_occurrence_id"),
        id("visit_detail_id"),
        text("measurement_source_value"),
        concept("measurement_source_concept_id"),
        text("unit_source_value"),
        concept("unit_source_concept_id"),
        text("value_source_value"),
        id("measurement_event_id"),
        concept("meas_event_field_concept_id"),
    ],
};

static OBSERVATION: Definition = Definition {
    name: "observation",
    scope: Scope::Person,
    id: Some("observation_id"),
    start: Some("observation_date"),
    end: None,
    columns: &[
        id("observation_id"),
        person("person_id"),
        concept("observation_concept_id"),
        date("observation_date"),
        datetime("observation_datetime"),
        concept("observation_type_concept_id"),
        number("value_as_number"),
        text("value_as_string"),
        concept("value_as_concept_id"),
        concept("qualifier_concept_id"),
        concept("unit_concept_id"),
        id("provider_id"),
        id("visit_occurrence_id"),
        id("visit_detail_id"),
        text("observation_source_value"),
        concept("observation_source_concept_id"),
        text("unit_source_value"),
        text("qualifier_source_value"),
        text("value_source_value"),
        id("observation_event_id"),
        concept("obs_event_field_concept_id"),
    ],
};

static DEATH: Definition = Definition {
    name: "death",
    scope: Scope::Person,
    id: Some("person_id"),
    start: Some("death_date"),
    end: None,
    columns: &[
        person("person_id"),
        date("death_date"),
        datetime("death_datetime"),
        concept("death_type_concept_id"),
        concept("cause_concept_id"),
        text("cause_source_value"),
        concept("cause_source_concept_id"),
    ],
};

static SPECIMEN: Definition = Definition {
    name: "specimen",
    scope: Scope::Person,
    id: Some("specimen_id"),
    start: Some("specimen_date"),
    end: None,
    columns: &[
        id("specimen_id"),
        person("person_id"),
        concept("specimen_concept_id"),
        concept("specimen_type_concept_id"),
        date("specimen_date"),
        datetime("specimen_datetime"),
        number("quantity"),
        concept("unit_concept_id"),
        concept("anatomic_site_concept_id"),
        concept("disease_status_concept_id"),
        text("specimen_source_id"),
        text("specimen_source_value"),
        text("unit_source_value"),
        text("anatomic_site_source_value"),
        text("disease_status_source_value"),
    ],
};

static NOTE: Definition = Definition {
    name: "note",
    scope: Scope::Person,
    id: Some("note_id"),
    start: Some("note_date"),
    end: None,
    columns: &[
        id("note_id"),
        person("person_id"),
        date("note_date"),
        datetime("note_datetime"),
        concept("note_type_concept_id"),
        concept("note_class_concept_id"),
        text("note_title"),
        text("note_text"),
        concept("encoding_concept_id"),
        concept("language_concept_id"),
        id("provider_id"),
        id("visit_occurrence_id"),
        id("visit_detail_id"),
        text("note_source_value"),
        id("note_event_id"),
        concept("note_event_field_concept_id"),
    ],
};

static PAYER_PLAN_PERIOD: Definition = Definition {
    name: "payer_plan_period",
    scope: Scope::Person,
    id: Some("payer_plan_period_id"),
    start: Some("payer_plan_period_start_date"),
    end: Some("payer_plan_period_end_date"),
    columns: &[
        id("payer_plan_period_id"),
        person("person_id"),
        date("payer_plan_period_start_date"),
        date("payer_plan_period_end_date"),
        concept("payer_concept_id"),
        text("payer_source_value"),
        concept("payer_source_concept_id"),
        concept("plan_concept_id"),
        text("plan_source_value"),
        concept("plan_source_concept_id"),
        concept("sponsor_concept_id"),
        text("sponsor_source_value"),
        concept("sponsor_source_concept_id"),
        text("family_source_value"),
        concept("stop_reason_concept_id"),
        text("stop_reason_source_value"),
        concept("stop_reason_source_concept_id"),
    ],
};

static COST: Definition = Definition {
    name: "cost",
    scope: Scope::Person,
    id: Some("cost_id"),
    start: None,
    end: None,
    columns: &[
        id("cost_id"),
        person("person_id"),
        id("cost_event_id"),
        text("cost_domain_id"),
        concept("cost_type_concept_id"),
        concept("currency_concept_id"),
        number("total_charge"),
        number("total_cost"),
        number("total_paid"),
        number("paid_by_payer"),
        number("paid_by_patient"),
        number("paid_patient_copay"),
        number("paid_patient_coinsurance"),
        number("paid_patient_deductible"),
        number("paid_by_primary"),
        number("paid_ingredient_cost"),
        number("paid_dispensing_fee"),
        id("payer_plan_period_id"),
        number("amount_allowed"),
        concept("revenue_code_concept_id"),
        text("revenue_code_source_value"),
        concept("drg_concept_id"),
        text("drg_source_value"),
    ],
};

static DRUG_ERA: Definition = Definition {
    name: "drug_era",
    scope: Scope::Person,
    id: Some("drug_era_id"),
    start: Some("drug_era_start_date"),
    end: Some("drug_era_end_date"),
    columns: &[
        id("drug_era_id"),
        person("person_id"),
        concept("drug_concept_id"),
        date("drug_era_start_date"),
        date("drug_era_end_date"),
        integer("drug_exposure_count"),
        integer("gap_days"),
    ],
};

static DOSE_ERA: Definition = Definition {
    name: "dose_era",
    scope: Scope::Person,
    id: Some("dose_era_id"),
    start: Some("dose_era_start_date"),
    end: Some("dose_era_end_date"),
    columns: &[
        id("dose_era_id"),
        person("person_id"),
        concept("drug_concept_id"),
        concept("unit_concept_id"),
        number("dose_value"),
        date("dose_era_start_date"),
        date("dose_era_end_date"),
    ],
};

static CONDITION_ERA: Definition = Definition {
    name: "condition_era",
    scope: Scope::Person,
    id: Some("condition_era_id"),
    start: Some("condition_era_start_date"),
    end: Some("condition_era_end_date"),
    columns: &[
        id("condition_era_id"),
        person("person_id"),
        concept("condition_concept_id"),
        date("condition_era_start_date"),
        date("condition_era_end_date"),
        integer("condition_occurrence_count"),
    ],
};

static EPISODE: Definition = Definition {
    name: "episode",
    scope: Scope::Person,
    id: Some("episode_id"),
    start: Some("episode_start_date"),
    end: Some("episode_end_date"),
    columns: &[
        id("episode_id"),
        person("person_id"),
        concept("episode_concept_id"),
        date("episode_start_date"),
        datetime("episode_start_datetime"),
        date("episode_end_date"),
        datetime("episode_end_datetime"),
        id("episode_parent_id"),
        integer("episode_number"),
        concept("episode_object_concept_id"),
        concept("episode_type_concept_id"),
        text("episode_source_value"),
        concept("episode_source_concept_id"),
    ],
};

static LOCATION_HISTORY: Definition = Definition {
    name: "location_history",
    scope: Scope::Person,
    id: Some("location_history_id"),
    start: Some("start_date"),
    end: Some("end_date"),
    columns: &[
        id("location_history_id"),
        id("location_id"),
        concept("relationship_type_concept_id"),
        text("domain_id"),
        person("entity_id"),
        date("start_date"),
        date("end_date"),
    ],
};

static LOCATION: Definition = Definition {
    name: "location",
    scope: Scope::Site,
    id: Some("location_id"),
    start: None,
    end: None,
    columns: &[
        id("location_id"),
        text("address_1"),
        text("address_2"),
        text("city"),
        text("state"),
        text("zip"),
        text("county"),
        text("location_source_value"),
        concept("country_concept_id"),
        text("country_source_value"),
        number("latitude"),
        number("longitude"),
        concept("region_concept_id"),
    ],
};

static CARE_SITE: Definition = Definition {
    name: "care_site",
    scope: Scope::Site,
    id: Some("care_site_id"),
    start: None,
    end: None,
    columns: &[
        id("care_site_id"),
        text("care_site_name"),
        concept("place_of_service_concept_id"),
        id("location_id"),
        text("care_site_source_value"),
        text("place_of_service_source_value"),
    ],
};

static PROVIDER: Definition = Definition {
    name: "provider",
    scope: Scope::Site,
    id: Some("provider_id"),
    start: None,
    end: None,
    columns: &[
        id("provider_id"),
        text("provider_name"),
        text("npi"),
        text("dea"),
        concept("specialty_concept_id"),
        id("care_site_id"),
        integer("year_of_birth"),
        concept("gender_concept_id"),
        text("provider_source_value"),
        text("specialty_source_value"),
        concept("specialty_source_concept_id"),
        text("gender_source_value"),
        concept("gender_source_concept_id"),
    ],
};

static NOTE_NLP: Definition = Definition {
    name: "note_nlp",
    scope: Scope::Site,
    id: Some("note_nlp_id"),
    start: None,
    end: None,
    columns: &[
        id("note_nlp_id"),
        id("note_id"),
        concept("section_concept_id"),
        text("snippet"),
        text("offset"),
        text("lexical_variant"),
        concept("note_nlp_concept_id"),
        concept("note_nlp_source_concept_id"),
        text("nlp_system"),
        date("nlp_date"),
        datetime("nlp_datetime"),
        text("term_exists"),
        text("term_temporal"),
        text("term_modifiers"),
    ],
};

static EPISODE_EVENT: Definition = Definition {
    name: "episode_event",
    scope: Scope::Site,
    id: None,
    start: None,
    end: None,
    columns: &[id("episode_id"), id("event_id"), concept("episode_event_field_concept_id")],
};

static FACT_RELATIONSHIP: Definition = Definition {
    name: "fact_relationship",
    scope: Scope::Site,
    id: None,
    start: None,
    end: None,
    columns: &[
        concept("domain_concept_id_1"),
        id("fact_id_1"),
        concept("domain_concept_id_2"),
        id("fact_id_2"),
        concept("relationship_concept_id"),
    ],
};

static CDM_SOURCE: Definition = Definition {
    name: "cdm_source",
    scope: Scope::Site,
    id: None,
    start: None,
    end: None,
    columns: &[
        text("cdm_source_name"),
        text("cdm_source_abbreviation"),
        text("cdm_holder"),
        text("source_description"),
        text("source_documentation_reference"),
        text("cdm_etl_reference"),
        date("source_release_date"),
        date("cdm_release_date"),
        text("cdm_version"),
        concept("cdm_version_concept_id"),
        text("vocabulary_version"),
    ],
};

static METADATA: Definition = Definition {
    name: "metadata",
    scope: Scope::Site,
    id: Some("metadata_id"),
    start: None,
    end: None,
    columns: &[
        id("metadata_id"),
        concept("metadata_concept_id"),
        concept("metadata_type_concept_id"),
        text("name"),
        text("value_as_string"),
        concept("value_as_concept_id"),
        number("value_as_number"),
        date("metadata_date"),
        datetime("metadata_datetime"),
    ],
};

static CONCEPT: Definition = Definition {
    name: "concept",
    scope: Scope::Vocabulary,
    id: Some("concept_id"),
    start: None,
    end: None,
    columns: &[
        concept("concept_id"),
        text("concept_name"),
        text("domain_id"),
        text("vocabulary_id"),
        text("concept_class_id"),
        text("standard_concept"),
        text("concept_code"),
        date("valid_start_date"),
        date("valid_end_date"),
        text("invalid_reason"),
    ],
};

static CONCEPT_RELATIONSHIP: Definition = Definition {
    name: "concept_relationship",
    scope: Scope::Vocabulary,
    id: None,
    start: None,
    end: None,
    columns: &[
        concept("concept_id_1"),
        concept("concept_id_2"),
        text("relationship_id"),
        date("valid_start_date"),
        date("valid_end_date"),
        text("invalid_reason"),
    ],
};

static CONCEPT_ANCESTOR: Definition = Definition {
    name: "concept_ancestor",
    scope: Scope::Vocabulary,
    id: None,
    start: None,
    end: None,
    columns: &[
        concept("ancestor_concept_id"),
        concept("descendant_concept_id"),
        integer("min_levels_of_separation"),
        integer("max_levels_of_separation"),
    ],
};

static CONCEPT_SYNONYM: Definition = Definition {
    name: "concept_synonym",
    scope: Scope::Vocabulary,
    id: None,
    start: None,
    end: None,
    columns: &[concept("concept_id"), text("concept_synonym_name"), concept("language_concept_id")],
};

static CONCEPT_CLASS: Definition = Definition {
    name: "concept_class",
    scope: Scope::Vocabulary,
    id: None,
    start: None,
    end: None,
    columns: &[
        text("concept_class_id"),
        text("concept_class_name"),
        concept("concept_class_concept_id"),
    ],
};

static VOCABULARY: Definition = Definition {
    name: "vocabulary",
    scope: Scope::Vocabulary,
    id: None,
    start: None,
    end: None,
    columns: &[
        text("vocabulary_id"),
        text("vocabulary_name"),
        text("vocabulary_reference"),
        text("vocabulary_version"),
        concept("vocabulary_concept_id"),
    ],
};

static DOMAIN: Definition = Definition {
    name: "domain",
    scope: Scope::Vocabulary,
    id: None,
    start: None,
    end: None,
    columns: &[text("domain_id"), text("domain_name"), concept("domain_concept_id")],
};

static RELATIONSHIP: Definition = Definition {
    name: "relationship",
    scope: Scope::Vocabulary,
    id: None,
    start: None,
    end: None,
    columns: &[
        text("relationship_id"),
        text("relationship_name"),
        text("is_hierarchical"),
        text("defines_ancestry"),
        text("reverse_relationship_id"),
        concept("relationship_concept_id"),
    ],
};

static SOURCE_TO_CONCEPT_MAP: Definition = Definition {
    name: "source_to_concept_map",
    scope: Scope::Vocabulary,
    id: None,
    start: None,
    end: None,
    columns: &[
        text("source_code"),
        concept("source_concept_id"),
        text("source_vocabulary_id"),
        text("source_code_description"),
        concept("target_concept_id"),
        text("target_vocabulary_id"),
        date("valid_start_date"),
        date("valid_end_date"),
        text("invalid_reason"),
    ],
};

static DRUG_STRENGTH: Definition = Definition {
    name: "drug_strength",
    scope: Scope::Vocabulary,
    id: None,
    start: None,
    end: None,
    columns: &[
        concept("drug_concept_id"),
        concept("ingredient_concept_id"),
        number("amount_value"),
        concept("amount_unit_concept_id"),
        number("numerator_value"),
        concept("numerator_unit_concept_id"),
        number("denominator_value"),
        concept("denominator_unit_concept_id"),
        integer("box_size"),
        date("valid_start_date"),
        date("valid_end_date"),
        text("invalid_reason"),
    ],
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_names_columns_that_it_has() {
        for table in Table::ALL {
            let named = [table.id_column(), table.start_column(), table.end_column()];
            for name in named.into_iter().flatten() {
                assert!(table.column(name).is_some(), "{table}.{name}");
            }
            assert_eq!(table.person_column().is_some(), table.scope() == Scope::Person, "{table}");
            assert_eq!(Table::from_name(&table.name().to_uppercase()), Some(table));
        }
    }
}
