//! One population in several formats: the same job over each gives equal
//! tables.

use crate::place::{Place, main_job, population, population_omop};

#[test]
fn synthea_csv_and_omop_give_equal_tables() {
    let tables = [population(), population_omop()].map(|export| {
        let place = Place::new();
        place.run(&main_job(), &export, &[]).ends_with(0);
        place.report().tables()
    });
    let [synthea, omop] = tables;
    assert!(synthea.keys().eq(omop.keys()));
    for (name, table) in &synthea {
        let other = &omop[name];
        assert_eq!(table.num_rows(), other.num_rows(), "{name}");
        assert!(table.num_rows() > 0, "{name}");
        for (i, field) in table.schema().fields().iter().enumerate() {
            assert_eq!(field.name(), other.schema().field(i).name(), "{name}");
            assert_eq!(table.column(i), other.column(i), "{name}.{}", field.name());
        }
    }
}
