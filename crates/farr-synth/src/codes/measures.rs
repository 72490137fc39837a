//! Laboratory values, vital signs and scores.

use super::Code;

/// What is measured, in which unit, and how healthy adults have it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Measure {
    pub(crate) code: Code,
    pub(crate) unit: &'static str,
    pub(crate) mean: f64,
    pub(crate) spread: f64,
    /// Digits after the point.
    pub(crate) decimals: u8,
}

/// Statics of measures, and the list of them all.
macro_rules! measures {
    ($($name:ident $class:literal $code:literal $text:literal $unit:literal $mean:literal $spread:literal $decimals:literal;)*) => {
        $(pub(crate) static $name: Measure = Measure {
            code: Code {
                vocabulary: "LOINC",
                code: $code,
                name: $text,
                domain: "Measurement",
                class: $class,
            },
            unit: $unit,
            mean: $mean,
            spread: $spread,
            decimals: $decimals,
        };)*
        /// Every measure.
        pub(crate) static MEASURES: &[&Measure] = &[$(&$name),*];
    };
}

measures! {
    HEIGHT "Clinical Observation" "8302-2" "Body height" "cm" 170.0 9.0 1;
    WEIGHT "Clinical Observation" "29463-7" "Body weight" "kg" 78.0 14.0 1;
    BODY_MASS_INDEX "Clinical Observation" "39156-5" "Body mass index" "kg/m2" 27.0 5.0 1;
    BMI_PERCENTILE "Clinical Observation" "59576-9" "Body mass index percentile for age and sex" "%" 55.0 25.0 1;
    HEAD_CIRCUMFERENCE "Clinical Observation" "9843-4" "Head circumference" "cm" 42.0 4.0 1;
    SYSTOLIC "Clinical Observation" "8480-6" "Systolic blood pressure" "mm[Hg]" 119.0 8.0 0;
    DIASTOLIC "Clinical Observation" "8462-4" "Diastolic blood pressure" "mm[Hg]" 77.0 6.0 0;
    HEART_RATE "Clinical Observation" "8867-4" "Heart rate" "/min" 74.0 9.0 0;
    RESPIRATORY_RATE "Clinical Observation" "9279-1" "Respiratory rate" "/min" 14.5 1.4 0;
    TEMPERATURE "Clinical Observation" "8310-5" "Body temperature" "Cel" 37.0 0.3 1;
    ORAL_TEMPERATURE "Clinical Observation" "8331-1" "Body temperature in the mouth" "Cel" 38.3 0.6 1;
    OXYGEN_SATURATION "Clinical Observation" "2708-6" "Oxygen saturation of arterial blood" "%" 97.0 1.2 0;
    PULSE_OXIMETRY "Clinical Observation" "59408-5" "Oxygen saturation by pulse oximetry" "%" 96.0 1.5 0;
    EJECTION_FRACTION "Clinical Observation" "10230-1" "Ejection fraction of left ventricle" "%" 58.0 5.0 0;
    FEV1_FVC "Clinical Observation" "19926-5" "FEV1 to FVC ratio" "%" 78.0 5.0 1;
    BONE_DENSITY_SCORE "Clinical Observation" "38265-5" "Bone density T-score" "{T-score}" -0.8 0.8 1;
    HBA1C "Lab Test" "4548-4" "Hemoglobin A1c in blood" "%" 5.3 0.3 1;
    GLUCOSE "Lab Test" "2339-0" "Glucose in blood" "mg/dL" 88.0 8.0 1;
    GLUCOSE_SERUM "Lab Test" "2345-7" "Glucose in serum" "mg/dL" 90.0 9.0 1;
    UREA_NITROGEN "Lab Test" "6299-2" "Urea nitrogen in blood" "mg/dL" 14.0 3.0 1;
    UREA_NITROGEN_SERUM "Lab Test" "3094-0" "Urea nitrogen in serum" "mg/dL" 14.5 3.0 1;
    CREATININE "Lab Test" "38483-4" "Creatinine in blood" "mg/dL" 0.9 0.15 2;
    CREATININE_SERUM "Lab Test" "2160-0" "Creatinine in serum" "mg/dL" 0.9 0.15 2;
    CALCIUM "Lab Test" "49765-1" "Calcium in blood" "mg/dL" 9.4 0.4 1;
    CALCIUM_SERUM "Lab Test" "17861-6" "Calcium in serum" "mg/dL" 9.4 0.4 1;
    SODIUM "Lab Test" "2947-0" "Sodium in blood" "mmol/L" 140.0 2.0 1;
    SODIUM_SERUM "Lab Test" "2951-2" "Sodium in serum" "mmol/L" 140.0 2.2 1;
    POTASSIUM "Lab Test" "6298-4" "Potassium in blood" "mmol/L" 4.3 0.4 1;
    POTASSIUM_SERUM "Lab Test" "2823-3" "Potassium in serum" "mmol/L" 4.3 0.4 1;
    CHLORIDE "Lab Test" "2069-3" "Chloride in blood" "mmol/L" 104.0 2.0 1;
    CHLORIDE_SERUM "Lab Test" "2075-0" "Chloride in serum" "mmol/L" 104.0 2.0 1;
    CARBON_DIOXIDE "Lab Test" "20565-8" "Carbon dioxide in blood" "mmol/L" 25.0 2.0 1;
    CARBON_DIOXIDE_SERUM "Lab Test" "2028-9" "Carbon dioxide in serum" "mmol/L" 25.0 2.0 1;
    FILTRATION_RATE "Lab Test" "33914-3" "Estimated glomerular filtration rate" "mL/min/{1.73_m2}" 95.0 12.0 1;
    ALBUMIN_CREATININE "Lab Test" "14959-1" "Albumin to creatinine ratio in urine" "mg/g" 9.0 4.0 1;
    CHOLESTEROL "Lab Test" "2093-3" "Total cholesterol" "mg/dL" 182.0 22.0 1;
    TRIGLYCERIDES "Lab Test" "2571-8" "Triglycerides" "mg/dL" 125.0 22.0 1;
    LDL_CHOLESTEROL "Lab Test" "18262-6" "LDL cholesterol" "mg/dL" 102.0 20.0 1;
    HDL_CHOLESTEROL "Lab Test" "2085-9" "HDL cholesterol" "mg/dL" 55.0 10.0 1;
    LEUKOCYTES "Lab Test" "6690-2" "White cells in blood" "10*3/uL" 6.8 1.5 1;
    ERYTHROCYTES "Lab Test" "789-8" "Red cells in blood" "10*6/uL" 4.7 0.4 1;
    HEMOGLOBIN "Lab Test" "718-7" "Hemoglobin in blood" "g/dL" 14.1 1.2 1;
    HEMATOCRIT "Lab Test" "4544-3" "Hematocrit" "%" 42.0 3.2 1;
    RED_CELL_VOLUME "Lab Test" "787-2" "Mean volume of red cells" "fL" 90.0 4.0 1;
    RED_CELL_HEMOGLOBIN "Lab Test" "785-6" "Mean hemoglobin of red cells" "pg" 30.0 1.5 1;
    RED_CELL_CONCENTRATION "Lab Test" "786-4" "Mean hemoglobin concentration of red cells" "g/dL" 34.0 0.8 1;
    RED_CELL_WIDTH "Lab Test" "21000-5" "Width of red cell distribution" "fL" 42.0 2.5 1;
    PLATELETS "Lab Test" "777-3" "Platelets in blood" "10*3/uL" 255.0 55.0 1;
    NEUTROPHILS "Lab Test" "751-8" "Neutrophils in blood" "10*3/uL" 4.1 1.1 1;
    LYMPHOCYTES "Lab Test" "731-0" "Lymphocytes in blood" "10*3/uL" 2.1 0.5 1;
    PROTEIN_TOTAL "Lab Test" "2885-2" "Protein in serum" "g/dL" 7.1 0.4 1;
    ALBUMIN "Lab Test" "1751-7" "Albumin in serum" "g/dL" 4.3 0.3 1;
    GLOBULIN "Lab Test" "10834-0" "Globulin in serum" "g/L" 28.0 3.0 1;
    BILIRUBIN "Lab Test" "1975-2" "Bilirubin in serum" "mg/dL" 0.7 0.25 1;
    ALKALINE_PHOSPHATASE "Lab Test" "6768-6" "Alkaline phosphatase in serum" "U/L" 76.0 18.0 1;
    ALANINE_AMINOTRANSFERASE "Lab Test" "1742-6" "Alanine aminotransferase in serum" "U/L" 25.0 8.0 1;
    ASPARTATE_AMINOTRANSFERASE "Lab Test" "1920-8" "Aspartate aminotransferase in serum" "U/L" 23.0 6.0 1;
    BRAIN_NATRIURETIC_PEPTIDE "Lab Test" "33762-6" "NT-proBNP in serum" "pg/mL" 90.0 40.0 0;
    TROPONIN "Lab Test" "89579-7" "High-sensitivity troponin I" "pg/mL" 6.0 3.0 1;
    CREATINE_KINASE "Lab Test" "2157-6" "Creatine kinase in serum" "U/L" 110.0 40.0 0;
    D_DIMER "Lab Test" "48065-7" "D-dimer in plasma" "ug/mL" 0.3 0.1 2;
    INR "Lab Test" "6301-6" "INR of plasma" "{INR}" 2.4 0.5 1;
    PROTHROMBIN_TIME "Lab Test" "5902-2" "Prothrombin time" "s" 12.0 0.8 1;
    C_REACTIVE_PROTEIN "Lab Test" "1988-5" "C-reactive protein" "mg/L" 4.0 2.0 1;
    PROCALCITONIN "Lab Test" "33959-8" "Procalcitonin" "ng/mL" 0.08 0.03 2;
    LACTATE "Lab Test" "59032-3" "Lactate in blood" "mmol/L" 1.2 0.4 1;
    FERRITIN "Lab Test" "2276-4" "Ferritin" "ng/mL" 110.0 50.0 1;
    IRON "Lab Test" "2498-4" "Iron in serum" "ug/dL" 95.0 25.0 1;
    IRON_BINDING "Lab Test" "2500-7" "Iron binding capacity" "ug/dL" 320.0 35.0 1;
    THYROTROPIN "Lab Test" "3016-3" "Thyrotropin" "m[IU]/L" 2.1 0.9 2;
    THYROXINE "Lab Test" "3024-7" "Free thyroxine" "ng/dL" 1.2 0.2 2;
    PROSTATE_ANTIGEN "Lab Test" "2857-1" "Prostate specific antigen" "ng/mL" 1.3 0.7 1;
    URINE_PH "Lab Test" "5803-2" "pH of urine" "[pH]" 6.1 0.6 1;
    URINE_GRAVITY "Lab Test" "5811-5" "Specific gravity of urine" "{nominal}" 1.018 0.006 3;
    URINE_PROTEIN "Lab Test" "5804-0" "Protein in urine" "mg/dL" 12.0 6.0 1;
    URINE_GLUCOSE "Lab Test" "5792-7" "Glucose in urine" "mg/dL" 3.0 2.0 1;
    ARTERIAL_PH "Lab Test" "2744-1" "pH of arterial blood" "[pH]" 7.4 0.03 2;
    ARTERIAL_CARBON_DIOXIDE "Lab Test" "2019-8" "Carbon dioxide pressure of arterial blood" "mm[Hg]" 41.0 3.0 0;
    ARTERIAL_OXYGEN "Lab Test" "2703-7" "Oxygen pressure of arterial blood" "mm[Hg]" 88.0 8.0 0;
    IGE_PEANUT "Lab Test" "6206-7" "Peanut IgE" "kU/L" 9.0 4.0 2;
    IGE_WALNUT "Lab Test" "6273-7" "Walnut IgE" "kU/L" 8.0 4.0 2;
    IGE_CODFISH "Lab Test" "6082-2" "Codfish IgE" "kU/L" 7.0 4.0 2;
    IGE_SHRIMP "Lab Test" "6246-3" "Shrimp IgE" "kU/L" 8.0 4.0 2;
    IGE_WHEAT "Lab Test" "6276-0" "Wheat IgE" "kU/L" 6.0 3.0 2;
    IGE_EGG "Lab Test" "6106-9" "Egg white IgE" "kU/L" 7.0 3.0 2;
    IGE_MILK "Lab Test" "7258-7" "Cow milk IgE" "kU/L" 6.0 3.0 2;
    IGE_RAGWEED "Lab Test" "6085-5" "Ragweed IgE" "kU/L" 11.0 5.0 2;
    IGE_CAT "Lab Test" "6833-8" "Cat dander IgE" "kU/L" 10.0 5.0 2;
    IGE_DUST_MITE "Lab Test" "6095-4" "House dust mite IgE" "kU/L" 12.0 5.0 2;
    PAIN "Survey" "72514-3" "Pain on a scale of 0 to 10" "{score}" 2.0 1.5 0;
    PHQ_2 "Survey" "55758-7" "PHQ-2 score" "{score}" 0.8 0.8 0;
    PHQ_9 "Survey" "44261-6" "PHQ-9 score" "{score}" 13.0 4.5 0;
    GAD_7 "Survey" "70274-6" "GAD-7 score" "{score}" 3.0 2.0 0;
    AUDIT_C "Survey" "75626-2" "AUDIT-C score" "{score}" 1.8 1.2 0;
    DAST_10 "Survey" "82667-7" "DAST-10 score" "{score}" 0.6 0.7 0;
    HARK "Survey" "76504-0" "HARK score" "{score}" 0.3 0.5 0;
    MINI_MENTAL "Survey" "72106-8" "Mini-mental state score" "{score}" 20.0 4.0 0;
    FALL_RISK "Survey" "59460-6" "Morse fall scale score" "{#}" 35.0 15.0 0;
}

/// Basic metabolic panel.
pub(crate) static METABOLIC_PANEL: &[&Measure] = &[
    &GLUCOSE,
    &UREA_NITROGEN,
    &CREATININE,
    &CALCIUM,
    &SODIUM,
    &POTASSIUM,
    &CHLORIDE,
    &CARBON_DIOXIDE,
];
/// The same from serum, as hospitals take it.
pub(crate) static HOSPITAL_PANEL: &[&Measure] = &[
    &GLUCOSE_SERUM,
    &UREA_NITROGEN_SERUM,
    &CREATININE_SERUM,
    &CALCIUM_SERUM,
    &SODIUM_SERUM,
    &POTASSIUM_SERUM,
    &CHLORIDE_SERUM,
    &CARBON_DIOXIDE_SERUM,
];
/// Lipids.
pub(crate) static LIPID_PANEL: &[&Measure] =
    &[&CHOLESTEROL, &TRIGLYCERIDES, &LDL_CHOLESTEROL, &HDL_CHOLESTEROL];
/// Blood count.
pub(crate) static BLOOD_PANEL: &[&Measure] = &[
    &LEUKOCYTES,
    &ERYTHROCYTES,
    &HEMOGLOBIN,
    &HEMATOCRIT,
    &RED_CELL_VOLUME,
    &RED_CELL_HEMOGLOBIN,
    &RED_CELL_CONCENTRATION,
    &RED_CELL_WIDTH,
    &PLATELETS,
    &NEUTROPHILS,
    &LYMPHOCYTES,
];
/// Liver.
pub(crate) static LIVER_PANEL: &[&Measure] = &[
    &PROTEIN_TOTAL,
    &ALBUMIN,
    &GLOBULIN,
    &BILIRUBIN,
    &ALKALINE_PHOSPHATASE,
    &ALANINE_AMINOTRANSFERASE,
    &ASPARTATE_AMINOTRANSFERASE,
];
/// Iron.
pub(crate) static IRON_PANEL: &[&Measure] = &[&FERRITIN, &IRON, &IRON_BINDING];
/// Urine.
pub(crate) static URINE_PANEL: &[&Measure] =
    &[&URINE_PH, &URINE_GRAVITY, &URINE_PROTEIN, &URINE_GLUCOSE];
/// Arterial blood gas.
pub(crate) static GAS_PANEL: &[&Measure] =
    &[&ARTERIAL_PH, &ARTERIAL_CARBON_DIOXIDE, &ARTERIAL_OXYGEN, &OXYGEN_SATURATION];
/// Immunoglobulins of an allergy test.
pub(crate) static ALLERGY_PANEL: &[&Measure] = &[
    &IGE_PEANUT,
    &IGE_WALNUT,
    &IGE_CODFISH,
    &IGE_SHRIMP,
    &IGE_WHEAT,
    &IGE_EGG,
    &IGE_MILK,
    &IGE_RAGWEED,
    &IGE_CAT,
    &IGE_DUST_MITE,
];
