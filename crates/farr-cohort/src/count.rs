//! What a count of distinct values counts, domain by domain.

use crate::domain::Domain;
use crate::model::CountColumn;

/// Where the values that are counted come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Counted {
    /// A column of whole numbers or concepts.
    Integers(&'static str),
    /// A column of whole numbers; missing ones count as 0.
    IntegersOrZero(&'static str),
    /// A column of real numbers.
    Reals(&'static str),
    /// The event's start.
    Start,
    /// The event's end.
    End,
    /// Days from start to end.
    Length,
    /// The same for every event.
    One,
    /// The region of the event's location.
    Region,
    /// Missing for every event.
    Nothing,
}

/// What a column is in a domain; `None` if the domain has no such thing.
pub(crate) fn column_of(domain: Domain, column: CountColumn) -> Option<Counted> {
    use CountColumn as C;
    use Domain as D;
    let specification = domain.specification();
    Some(match (column, domain) {
        (C::StartDate, _) => Counted::Start,
        (C::EndDate, _) => Counted::End,
        (C::VisitId, _) => specification.visit.map_or(Counted::Nothing, Counted::Integers),
        (C::DomainConcept, D::Death) => Counted::IntegersOrZero(specification.concept),
        (C::DomainConcept, D::LocationRegion) => Counted::Region,
        (C::DomainConcept, _) => Counted::Integers(specification.concept),
        (C::DomainSourceConcept, _) => Counted::Integers(specification.source?.1),
        (
            C::Duration,
            D::Death | D::Measurement | D::Observation | D::ProcedureOccurrence | D::Specimen,
        ) => Counted::One,
        (C::Duration, _) => Counted::Length,
        (C::DaysSupply, D::DrugExposure) => Counted::Integers("days_supply"),
        (C::Refills, D::DrugExposure) => Counted::Integers("refills"),
        (C::Quantity, D::DrugExposure | D::Specimen) => Counted::Reals("quantity"),
        (C::Quantity, D::DeviceExposure | D::ProcedureOccurrence) => Counted::Integers("quantity"),
        (C::EraOccurrences, D::ConditionEra) => Counted::Integers("condition_occurrence_count"),
        (C::EraOccurrences, D::DrugEra) => Counted::Integers("drug_exposure_count"),
        (C::GapDays, D::DrugEra) => Counted::Integers("gap_days"),
        (C::Unit, D::DoseEra | D::Measurement | D::Observation | D::Specimen) => {
            Counted::Integers("unit_concept_id")
        }
        (C::ValueAsNumber, D::DoseEra) => Counted::Reals("dose_value"),
        (C::ValueAsNumber, D::Measurement | D::Observation) => Counted::Reals("value_as_number"),
        (C::RangeHigh, D::Measurement) => Counted::Reals("range_high"),
        (C::RangeLow, D::Measurement) => Counted::Reals("range_low"),
        (
            C::VisitDetailId,
            D::ConditionOccurrence
            | D::DeviceExposure
            | D::DrugExposure
            | D::Measurement
            | D::Observation
            | D::ProcedureOccurrence
            | D::VisitDetail,
        ) => Counted::Integers("visit_detail_id"),
        _ => return None,
    })
}
