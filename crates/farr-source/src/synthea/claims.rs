//! Claims and what is charged, paid and passed on under them.
//!
//! A claim is a part of a visit, hence a `visit_detail`; its transactions are
//! costs of that detail, so that they can be summed by claim and by visit, and
//! are not counted with the costs of the visit itself.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Float64Array, StringArray, StringBuilder};
use farr_records::Table;

use super::concepts::{TYPE_CLAIM, US_DOLLAR};
use super::{Synthea, or_blank};
use crate::Error;
use crate::outgoing::{Outgoing, constant, constant_text, ids_of};
use crate::rows::Rows;

pub(super) fn claims(synthea: &Synthea, rows: &Rows) -> Result<Vec<Outgoing>, Error> {
    let (days, times): (ArrayRef, ArrayRef) =
        (Arc::new(rows.days("start")), Arc::new(rows.times("start")));
    let statuses = rows.text("statusp");
    let source_value = |row: usize| match or_blank(&statuses, row) {
        "" => Some("claim".to_owned()),
        status => Some(format!("claim {status}")),
    };
    let source_values: StringArray = (0..rows.len()).map(source_value).collect();
    let details = Outgoing::new(
        Table::VisitDetail,
        rows.lines.clone(),
        true,
        vec![
            ("visit_detail_id", ids_of(&synthea.claims, &rows.text("id"))),
            ("person_id", synthea.person_ids(rows)),
            ("visit_detail_concept_id", constant(0, rows.len())),
            ("visit_detail_start_date", days.clone()),
            ("visit_detail_start_datetime", times.clone()),
            ("visit_detail_end_date", days),
            ("visit_detail_end_datetime", times),
            ("visit_detail_type_concept_id", constant(TYPE_CLAIM, rows.len())),
            ("provider_id", ids_of(&synthea.providers, &rows.text("provider"))),
            ("visit_detail_source_value", Arc::new(source_values)),
            ("visit_occurrence_id", synthea.visit_ids(rows)),
        ],
    )?;
    Ok(vec![details])
}

/// One cost a transaction. Its kind stands in `revenue_code_source_value`, with
/// the way of payment or the direction of the transfer. Payers pay by `ECHECK`,
/// patients by all other ways.
pub(super) fn transactions(synthea: &Synthea, rows: &Rows) -> Result<Vec<Outgoing>, Error> {
    let count = rows.len();
    let (kinds, methods) = (rows.text("type"), rows.text("method"));
    let transfer_types = rows.text("transfer_type");
    let is = |row: usize, kind: &str| kinds.value(row).eq_ignore_ascii_case(kind);
    let is_by = |row: usize, method: &str| or_blank(&methods, row).eq_ignore_ascii_case(method);
    let (amounts, payments) = (rows.numbers("amount"), rows.numbers("payments"));
    let transfers = rows.numbers("transfers");
    let chosen = |amount: &Float64Array, takes: &dyn Fn(usize) -> bool| -> ArrayRef {
        let value = |row: usize| (amount.is_valid(row) && takes(row)).then(|| amount.value(row));
        Arc::new((0..count).map(value).collect::<Float64Array>())
    };
    let (mut details, mut detail) = (StringBuilder::new(), String::new());
    for row in 0..count {
        detail.clear();
        detail.push_str(kinds.value(row));
        let is_payment = is(row, "PAYMENT");
        let more = or_blank(if is_payment { &methods } else { &transfer_types }, row);
        if !more.is_empty() {
            detail.push(':');
            detail.push_str(more);
        }
        let upper = if is_payment { detail.len() } else { kinds.value(row).len() };
        detail[..upper].make_ascii_uppercase();
        details.append_value(&detail);
    }
    let costs = Outgoing::new(
        Table::Cost,
        rows.lines.clone(),
        true,
        vec![
            ("cost_id", ids_of(&synthea.costs, &rows.text("id"))),
            ("person_id", synthea.person_ids(rows)),
            ("cost_event_id", ids_of(&synthea.claims, &rows.text("claim"))),
            ("cost_domain_id", constant_text("Visit Detail", count)),
            ("cost_type_concept_id", constant(TYPE_CLAIM, count)),
            ("currency_concept_id", constant(US_DOLLAR, count)),
            ("total_charge", chosen(&amounts, &|row| is(row, "CHARGE"))),
            ("total_paid", chosen(&payments, &|_| true)),
            ("paid_by_payer", chosen(&payments, &|row| is_by(row, "ECHECK"))),
            ("paid_by_patient", chosen(&payments, &|row| !is_by(row, "ECHECK"))),
            ("paid_patient_copay", chosen(&payments, &|row| is_by(row, "COPAY"))),
            ("amount_allowed", chosen(&transfers, &|_| true)),
            ("revenue_code_source_value", Arc::new(details.finish())),
            ("drg_source_value", Arc::new(rows.text("procedure_code"))),
        ],
    )?;
    Ok(vec![costs])
}
