//! Lasting diseases as data: how they begin, what they raise, how they are
//! cared for. The rates are plausible, not fitted to any one country.

use crate::codes::*;

/// A lasting disease; those that raise others come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Disease {
    Smoking,
    Obesity,
    Alcoholism,
    OpioidAbuse,
    Hypertension,
    Hyperlipidemia,
    Prediabetes,
    Diabetes,
    IschemicHeart,
    AtrialFibrillation,
    PeripheralVascular,
    ChronicKidney,
    Nephropathy,
    Retinopathy,
    Neuropathy,
    HeartFailure,
    Stroke,
    Copd,
    Asthma,
    LungCancer,
    BreastCancer,
    ColonCancer,
    ProstateCancer,
    Depression,
    Anxiety,
    StressDisorder,
    Bipolar,
    Schizophrenia,
    AttentionDeficit,
    Alzheimer,
    Parkinson,
    Epilepsy,
    MultipleSclerosis,
    Migraine,
    OsteoarthritisKnee,
    OsteoarthritisHip,
    OsteoarthritisHand,
    Osteoporosis,
    RheumatoidArthritis,
    Lupus,
    Fibromyalgia,
    Gout,
    BackPain,
    NeckPain,
    ChronicPain,
    Hypothyroidism,
    Reflux,
    IrritableBowel,
    UlcerativeColitis,
    Crohn,
    ColonPolyp,
    Rhinitis,
    SeasonalRhinitis,
    Sinusitis,
    Eczema,
    Psoriasis,
    SleepApnea,
    SleepDisorder,
    ProstateHyperplasia,
    Glaucoma,
    Cataract,
    HearingLoss,
    Anemia,
    MitralRegurgitation,
    AorticStenosis,
    AorticRegurgitation,
    Scoliosis,
}

/// How many diseases there are.
pub(crate) const DISEASES: usize = Disease::Scoliosis as usize + 1;

/// A drug for a lasting disease: one of the choices, held to for good.
#[derive(Debug)]
pub(crate) struct Regimen {
    pub(crate) choices: &'static [&'static Code],
    /// Share of the diseased who get it.
    pub(crate) share: f64,
    /// Years after onset.
    pub(crate) after_years: i32,
}

/// Stays in hospital for a disease.
#[derive(Debug)]
pub(crate) struct Stay {
    pub(crate) code: &'static Code,
    pub(crate) per_year: f64,
    pub(crate) nights: (i32, i32),
    pub(crate) drugs: &'static [&'static Code],
    pub(crate) procedures: &'static [&'static Code],
    pub(crate) panels: &'static [&'static [&'static Measure]],
}

/// What is known of a lasting disease.
#[derive(Debug)]
pub(crate) struct Profile {
    pub(crate) disease: Disease,
    /// What is recorded; nothing for smoking.
    pub(crate) code: Option<&'static Code>,
    /// New cases per 1,000 person-years by decade of age, the last from 80 up.
    pub(crate) onset: [f64; 9],
    pub(crate) women: f64,
    pub(crate) men: f64,
    /// Diseases that multiply the onset.
    pub(crate) raised_by: &'static [(Disease, f64)],
    /// Multiplies the hazard of death.
    pub(crate) death: f64,
    /// Visits a year.
    pub(crate) visits: f64,
    pub(crate) drugs: &'static [Regimen],
    pub(crate) panels: &'static [&'static [&'static Measure]],
    pub(crate) careplan: Option<&'static Code>,
    pub(crate) stay: Option<Stay>,
}

const fn profile(
    disease: Disease,
    code: Option<&'static Code>,
    onset: [f64; 9],
    women: f64,
    men: f64,
) -> Profile {
    Profile {
        disease,
        code,
        onset,
        women,
        men,
        raised_by: &[],
        death: 1.0,
        visits: 0.0,
        drugs: &[],
        panels: &[],
        careplan: None,
        stay: None,
    }
}

impl Profile {
    const fn raised_by(mut self, risks: &'static [(Disease, f64)]) -> Self {
        self.raised_by = risks;
        self
    }
    const fn death(mut self, times: f64) -> Self {
        self.death = times;
        self
    }
    const fn care(
        mut self,
        visits: f64,
        drugs: &'static [Regimen],
        panels: &'static [&'static [&'static Measure]],
    ) -> Self {
        self.visits = visits;
        self.drugs = drugs;
        self.panels = panels;
        self
    }
    const fn plan(mut self, careplan: &'static Code) -> Self {
        self.careplan = Some(careplan);
        self
    }
    const fn stay(mut self, stay: Stay) -> Self {
        self.stay = Some(stay);
        self
    }
}

const fn drug(choices: &'static [&'static Code], share: f64, after_years: i32) -> Regimen {
    Regimen { choices, share, after_years }
}

use Disease as D;

/// The lasting diseases, in the order of the enum.
pub(crate) static PROFILES: [Profile; DISEASES] = [
    profile(D::Smoking, None, [0.0, 18.0, 14.0, 2.0, 0.5, 0.0, 0.0, 0.0, 0.0], 0.85, 1.15)
        .death(1.5),
    profile(
        D::Obesity,
        Some(&OBESITY),
        [2.0, 7.0, 11.0, 12.0, 11.0, 9.0, 5.0, 2.0, 0.5],
        1.05,
        0.95,
    )
    .death(1.15)
    .plan(&WEIGHT_PROGRAM),
    profile(
        D::Alcoholism,
        Some(&ALCOHOLISM),
        [0.0, 0.4, 2.2, 2.0, 1.4, 1.0, 0.6, 0.3, 0.1],
        0.6,
        1.4,
    )
    .death(1.7)
    .care(0.3, &[drug(&[&NALTREXONE], 0.3, 0)], &[LIVER_PANEL]),
    profile(
        D::OpioidAbuse,
        Some(&OPIOID_ABUSE),
        [0.0, 0.3, 1.4, 1.0, 0.6, 0.4, 0.2, 0.1, 0.0],
        0.7,
        1.3,
    )
    .death(2.5)
    .care(0.8, &[drug(&[&BUPRENORPHINE_NALOXONE, &METHADONE], 0.6, 0)], &[])
    .plan(&ADDICTION_THERAPY),
    profile(
        D::Hypertension,
        Some(&HYPERTENSION),
        [0.0, 0.3, 4.0, 11.0, 20.0, 30.0, 36.0, 36.0, 30.0],
        0.95,
        1.05,
    )
    .raised_by(&[(D::Obesity, 2.0), (D::Alcoholism, 1.3)])
    .death(1.2)
    .care(
        0.9,
        &[
            drug(
                &[&LISINOPRIL_10, &LISINOPRIL_10, &LISINOPRIL_20, &LOSARTAN_50, &LOSARTAN_25],
                0.65,
                0,
            ),
            drug(&[&HYDROCHLOROTHIAZIDE], 0.5, 0),
            drug(&[&AMLODIPINE_5, &AMLODIPINE_2_5], 0.45, 1),
            drug(&[&METOPROLOL_TARTRATE, &PROPRANOLOL], 0.1, 3),
        ],
        &[METABOLIC_PANEL],
    )
    .plan(&HYPERTENSION_PLAN),
    profile(
        D::Hyperlipidemia,
        Some(&HYPERLIPIDEMIA),
        [0.0, 0.3, 3.0, 9.0, 17.0, 22.0, 20.0, 14.0, 8.0],
        0.95,
        1.05,
    )
    .raised_by(&[(D::Obesity, 1.6)])
    .care(
        0.4,
        &[drug(
            &[
                &SIMVASTATIN_10,
                &SIMVASTATIN_20,
                &ATORVASTATIN_20,
                &ATORVASTATIN_40,
                &ATORVASTATIN_80,
            ],
            0.75,
            0,
        )],
        &[LIPID_PANEL],
    )
    .plan(&HYPERLIPIDEMIA_PLAN),
    profile(
        D::Prediabetes,
        Some(&PREDIABETES),
        [0.0, 0.375, 3.75, 9.0, 13.5, 16.5, 15.0, 10.5, 6.0],
        1.0,
        1.0,
    )
    .raised_by(&[(D::Obesity, 2.2), (D::Hypertension, 1.2)])
    .care(0.35, &[], &[&[&HBA1C, &GLUCOSE]]),
    // Nearly all pass through prediabetes: see `raised_by`.
    profile(
        D::Diabetes,
        Some(&DIABETES_TYPE_2),
        [0.0, 0.028, 0.193, 0.55, 1.1, 1.65, 1.76, 1.43, 0.88],
        0.92,
        1.08,
    )
    .raised_by(&[(D::Prediabetes, 9.0), (D::Obesity, 1.7)])
    .death(1.7)
    .care(1.4, &[], &[&[&HBA1C, &GLUCOSE], METABOLIC_PANEL])
    .plan(&DIABETES_PLAN)
    .stay(Stay {
        code: &HYPERGLYCEMIA,
        per_year: 0.012,
        nights: (1, 6),
        drugs: &[&INSULIN_REGULAR],
        procedures: &[&INTRAVENOUS_FLUIDS],
        panels: &[HOSPITAL_PANEL, GAS_PANEL],
    }),
    profile(
        D::IschemicHeart,
        Some(&ISCHEMIC_HEART_DISEASE),
        [0.0, 0.0, 0.06, 0.36, 1.44, 3.6, 6.0, 9.0, 10.8],
        0.65,
        1.35,
    )
    .raised_by(&[
        (D::Smoking, 1.9),
        (D::Diabetes, 2.0),
        (D::Hypertension, 1.7),
        (D::Hyperlipidemia, 1.5),
    ])
    .death(1.5)
    .care(
        0.9,
        &[
            drug(&[&ASPIRIN_81], 0.8, 0),
            drug(&[&METOPROLOL_SUCCINATE_50, &METOPROLOL_SUCCINATE_100], 0.6, 0),
            drug(&[&NITROGLYCERIN_SPRAY, &NITROGLYCERIN_TABLET], 0.5, 0),
            drug(&[&CLOPIDOGREL, &CLOPIDOGREL, &PRASUGREL], 0.5, 0),
            drug(&[&ATORVASTATIN_80, &ATORVASTATIN_40], 0.5, 0),
        ],
        &[LIPID_PANEL],
    )
    .plan(&ANGINA_PLAN),
    profile(
        D::AtrialFibrillation,
        Some(&ATRIAL_FIBRILLATION),
        [0.0, 0.0, 0.055, 0.165, 0.495, 1.65, 4.4, 9.35, 15.4],
        0.85,
        1.15,
    )
    .raised_by(&[
        (D::Hypertension, 1.5),
        (D::IschemicHeart, 1.5),
        (D::Obesity, 1.3),
        (D::Diabetes, 1.2),
    ])
    .death(1.5)
    .care(
        1.3,
        &[
            drug(&[&WARFARIN], 0.65, 0),
            drug(&[&DIGOXIN, &VERAPAMIL, &METOPROLOL_SUCCINATE_50], 0.7, 0),
        ],
        &[&[&INR, &HEART_RATE]],
    )
    .stay(Stay {
        code: &ATRIAL_FIBRILLATION,
        per_year: 0.05,
        nights: (1, 4),
        drugs: &[&AMIODARONE, &ENOXAPARIN_40],
        procedures: &[&ELECTROCARDIOGRAM, &CARDIOVERSION],
        panels: &[HOSPITAL_PANEL],
    }),
    profile(
        D::PeripheralVascular,
        Some(&PERIPHERAL_VASCULAR_DISEASE),
        [0.0, 0.0, 0.0, 0.21, 0.7, 1.75, 3.15, 4.55, 5.25],
        0.85,
        1.15,
    )
    .raised_by(&[(D::Smoking, 3.0), (D::Diabetes, 2.2), (D::Hypertension, 1.4)])
    .death(1.3)
    .care(0.4, &[drug(&[&CLOPIDOGREL, &ASPIRIN_81], 0.6, 0)], &[]),
    profile(D::ChronicKidney, None, [0.025, 0.05, 0.15, 0.4, 1.0, 2.25, 4.5, 8.0, 11.0], 1.0, 1.0)
        .raised_by(&[(D::Diabetes, 2.6), (D::Hypertension, 1.8)])
        .death(1.4)
        .care(0.6, &[], &[METABOLIC_PANEL, &[&FILTRATION_RATE, &ALBUMIN_CREATININE]]),
    profile(D::Nephropathy, Some(&DIABETIC_NEPHROPATHY), [0.05; 9], 1.0, 1.0)
        .raised_by(&[(D::Diabetes, 400.0), (D::Hypertension, 1.4)])
        .death(1.3)
        .care(0.3, &[], &[&[&ALBUMIN_CREATININE]]),
    profile(D::Retinopathy, Some(&DIABETIC_RETINOPATHY), [0.05; 9], 1.0, 1.0)
        .raised_by(&[(D::Diabetes, 500.0)])
        .care(0.5, &[], &[]),
    profile(D::Neuropathy, Some(&DIABETIC_NEUROPATHY), [0.05; 9], 1.0, 1.0)
        .raised_by(&[(D::Diabetes, 450.0)])
        .care(0.3, &[drug(&[&PREGABALIN, &DULOXETINE], 0.4, 0)], &[]),
    profile(
        D::HeartFailure,
        Some(&HEART_FAILURE),
        [0.0, 0.01, 0.03, 0.1, 0.4, 1.1, 2.75, 6.0, 13.0],
        0.92,
        1.08,
    )
    .raised_by(&[
        (D::Diabetes, 2.0),
        (D::Hypertension, 1.6),
        (D::IschemicHeart, 2.8),
        (D::AtrialFibrillation, 1.9),
        (D::ChronicKidney, 1.5),
        (D::Obesity, 1.3),
    ])
    .death(3.0)
    .care(
        2.2,
        &[
            drug(&[&FUROSEMIDE_40], 0.85, 0),
            drug(&[&CARVEDILOL, &METOPROLOL_SUCCINATE_100], 0.75, 0),
            drug(&[&SACUBITRIL_VALSARTAN, &LISINOPRIL_20, &CAPTOPRIL], 0.7, 0),
            drug(&[&SPIRONOLACTONE], 0.45, 1),
            drug(&[&DIGOXIN, &IVABRADINE, &HYDRALAZINE_ISOSORBIDE], 0.25, 2),
        ],
        &[METABOLIC_PANEL, &[&BRAIN_NATRIURETIC_PEPTIDE, &EJECTION_FRACTION]],
    )
    .plan(&HEART_FAILURE_PLAN)
    .stay(Stay {
        code: &HEART_FAILURE_DECOMPENSATED,
        per_year: 0.28,
        nights: (2, 9),
        drugs: &[&FUROSEMIDE_INJECTION, &ENOXAPARIN_40],
        procedures: &[&ECHOCARDIOGRAM, &CHEST_XRAY, &OXYGEN_BY_MASK, &HEART_FAILURE_EDUCATION],
        panels: &[HOSPITAL_PANEL, &[&BRAIN_NATRIURETIC_PEPTIDE, &EJECTION_FRACTION, &TROPONIN]],
    }),
    profile(D::Stroke, None, [0.007, 0.011, 0.052, 0.14, 0.385, 0.84, 1.61, 3.15, 5.6], 0.95, 1.05)
        .raised_by(&[
            (D::Diabetes, 1.8),
            (D::Hypertension, 1.9),
            (D::AtrialFibrillation, 2.6),
            (D::Smoking, 1.6),
        ])
        .death(1.9)
        .care(
            0.8,
            &[drug(&[&CLOPIDOGREL, &ASPIRIN_325], 0.85, 0), drug(&[&ATORVASTATIN_80], 0.5, 0)],
            &[LIPID_PANEL],
        ),
    profile(D::Copd, Some(&COPD), [0.0, 0.0, 0.06, 0.36, 1.32, 2.7, 4.2, 4.8, 4.2], 1.0, 1.0)
        .raised_by(&[(D::Smoking, 5.5)])
        .death(2.0)
        .care(
            1.1,
            &[
                drug(&[&FLUTICASONE_SALMETEROL, &BUDESONIDE_INHALER], 0.7, 0),
                drug(&[&ALBUTEROL_INHALER, &ALBUTEROL_NEBULIZER_5], 0.7, 0),
            ],
            &[&[&FEV1_FVC, &OXYGEN_SATURATION]],
        )
        .plan(&COPD_PLAN)
        .stay(Stay {
            code: &COPD_EXACERBATION,
            per_year: 0.14,
            nights: (2, 8),
            drugs: &[&PREDNISONE_20, &ALBUTEROL_NEBULIZER_083, &DOXYCYCLINE_100],
            procedures: &[
                &CHEST_XRAY,
                &NEBULIZER_THERAPY,
                &OXYGEN_BY_MASK,
                &PULMONARY_REHABILITATION,
            ],
            panels: &[GAS_PANEL, BLOOD_PANEL],
        }),
    profile(
        D::Asthma,
        Some(&ASTHMA),
        [6.5, 3.25, 1.3, 1.3, 1.3, 1.3, 1.04, 0.78, 0.52],
        1.05,
        0.95,
    )
    .raised_by(&[(D::Obesity, 1.4)])
    .care(
        0.6,
        &[
            drug(&[&ALBUTEROL_INHALER, &ALBUTEROL_NEBULIZER_0417], 0.85, 0),
            drug(&[&FLUTICASONE, &BUDESONIDE_025, &BUDESONIDE_0125], 0.6, 0),
        ],
        &[&[&FEV1_FVC]],
    )
    .plan(&ASTHMA_PLAN),
    profile(D::LungCancer, None, [0.0, 0.0, 0.0, 0.024, 0.12, 0.54, 1.32, 2.16, 2.04], 0.95, 1.05)
        .raised_by(&[(D::Smoking, 8.0), (D::Copd, 1.8)])
        .death(14.0)
        .care(1.5, &[drug(&[&FENTANYL_PATCH, &OXYCODONE_10], 0.4, 0)], &[BLOOD_PANEL, LIVER_PANEL])
        .plan(&CANCER_PLAN),
    profile(
        D::BreastCancer,
        Some(&BREAST_CANCER),
        [0.0, 0.0, 0.05, 0.5, 1.6, 2.5, 3.8, 4.4, 4.2],
        1.0,
        0.01,
    )
    .raised_by(&[(D::Obesity, 1.2)])
    .death(1.9)
    .care(
        1.2,
        &[drug(&[&TAMOXIFEN, &ANASTROZOLE, &LETROZOLE, &EXEMESTANE], 0.75, 1)],
        &[BLOOD_PANEL],
    )
    .plan(&CANCER_PLAN),
    profile(
        D::ColonCancer,
        Some(&COLON_CANCER),
        [0.0, 0.0, 0.03, 0.1, 0.4, 0.9, 1.6, 2.8, 3.8],
        0.88,
        1.12,
    )
    .raised_by(&[(D::Obesity, 1.3), (D::Smoking, 1.2), (D::Alcoholism, 1.4)])
    .death(3.2)
    .care(1.2, &[], &[BLOOD_PANEL, LIVER_PANEL])
    .plan(&CANCER_PLAN),
    profile(
        D::ProstateCancer,
        Some(&PROSTATE_NEOPLASM),
        [0.0, 0.0, 0.0, 0.02, 0.5, 3.4, 9.0, 11.0, 8.0],
        0.0,
        1.0,
    )
    .death(1.4)
    .care(1.0, &[drug(&[&LEUPROLIDE], 0.4, 0)], &[&[&PROSTATE_ANTIGEN]])
    .plan(&CANCER_PLAN),
    profile(
        D::Depression,
        Some(&DEPRESSION),
        [0.13, 4.55, 5.85, 4.55, 4.225, 3.575, 2.6, 2.275, 2.275],
        1.3,
        0.7,
    )
    .raised_by(&[(D::Alcoholism, 1.8), (D::Diabetes, 1.3), (D::OpioidAbuse, 1.8)])
    .death(1.3)
    .care(0.7, &[drug(&[&SERTRALINE, &FLUOXETINE, &DULOXETINE], 0.7, 0)], &[&[&PHQ_9]])
    .plan(&DEPRESSION_PLAN),
    profile(
        D::Anxiety,
        Some(&ANXIETY),
        [0.275, 3.85, 4.4, 3.85, 3.3, 2.475, 1.65, 1.1, 1.1],
        1.3,
        0.7,
    )
    .raised_by(&[(D::Depression, 2.2)])
    .care(0.35, &[drug(&[&SERTRALINE, &CLONAZEPAM, &DIAZEPAM], 0.5, 0)], &[&[&GAD_7]]),
    profile(
        D::StressDisorder,
        Some(&STRESS_DISORDER),
        [0.0, 0.8, 1.6, 1.3, 1.0, 0.7, 0.3, 0.2, 0.1],
        1.2,
        0.8,
    )
    .care(0.5, &[drug(&[&SERTRALINE], 0.5, 0)], &[]),
    profile(
        D::Bipolar,
        Some(&BIPOLAR_DISORDER),
        [0.0, 0.6, 0.9, 0.5, 0.3, 0.1, 0.05, 0.0, 0.0],
        1.0,
        1.0,
    )
    .death(1.6)
    .care(1.5, &[drug(&[&CARBAMAZEPINE], 0.5, 0)], &[]),
    profile(
        D::Schizophrenia,
        Some(&SCHIZOPHRENIA),
        [0.0, 0.15, 0.4, 0.2, 0.1, 0.05, 0.0, 0.0, 0.0],
        0.8,
        1.2,
    )
    .death(2.2)
    .care(2.0, &[], &[]),
    profile(
        D::AttentionDeficit,
        Some(&ATTENTION_DEFICIT),
        [5.0, 5.0, 0.3, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
        0.6,
        1.4,
    )
    .care(0.9, &[drug(&[&METHYLPHENIDATE, &ATOMOXETINE], 0.7, 0)], &[]),
    profile(
        D::Alzheimer,
        Some(&ALZHEIMER),
        [0.0, 0.0, 0.0, 0.0, 0.02, 0.2, 2.0, 11.0, 38.0],
        1.1,
        0.9,
    )
    .raised_by(&[(D::Diabetes, 1.3), (D::Stroke, 1.4)])
    .death(2.4)
    .care(
        1.0,
        &[drug(&[&DONEPEZIL_10, &DONEPEZIL_23, &GALANTAMINE, &MEMANTINE], 0.7, 0)],
        &[&[&MINI_MENTAL]],
    )
    .plan(&DEMENTIA_PLAN),
    profile(
        D::Parkinson,
        Some(&PARKINSON),
        [0.0, 0.0, 0.0, 0.01, 0.05, 0.3, 1.0, 2.2, 2.6],
        0.8,
        1.2,
    )
    .death(1.8)
    .care(1.4, &[], &[&[&FALL_RISK]]),
    profile(D::Epilepsy, Some(&EPILEPSY), [0.9, 0.6, 0.4, 0.4, 0.4, 0.5, 0.8, 1.2, 1.6], 1.0, 1.0)
        .raised_by(&[(D::Stroke, 4.0)])
        .death(1.5)
        .care(0.9, &[drug(&[&CARBAMAZEPINE, &CLONAZEPAM, &DIAZEPAM], 0.8, 0)], &[]),
    profile(
        D::MultipleSclerosis,
        Some(&MULTIPLE_SCLEROSIS),
        [0.0, 0.02, 0.12, 0.16, 0.12, 0.06, 0.02, 0.0, 0.0],
        1.4,
        0.6,
    )
    .death(1.6)
    .care(1.6, &[], &[]),
    profile(
        D::Migraine,
        Some(&MIGRAINE),
        [0.25, 2.0, 2.25, 1.75, 1.0, 0.4, 0.15, 0.05, 0.0],
        1.5,
        0.5,
    )
    .care(0.4, &[drug(&[&PROPRANOLOL, &NAPROXEN_500], 0.5, 0)], &[&[&PAIN]]),
    profile(
        D::OsteoarthritisKnee,
        Some(&OSTEOARTHRITIS_KNEE),
        [0.0, 0.0, 0.14, 0.84, 2.8, 5.6, 7.7, 8.4, 7.0],
        1.2,
        0.8,
    )
    .raised_by(&[(D::Obesity, 1.9)])
    .care(0.4, &[drug(&[&NAPROXEN_220, &ACETAMINOPHEN_325, &NAPROXEN_500], 0.6, 0)], &[&[&PAIN]])
    .stay(Stay {
        code: &OSTEOARTHRITIS_KNEE,
        per_year: 0.02,
        nights: (1, 4),
        drugs: &[&OXYCODONE_5, &ENOXAPARIN_30, &CEFAZOLIN, &PROPOFOL],
        procedures: &[&KNEE_REPLACEMENT, &PHYSICAL_THERAPY],
        panels: &[BLOOD_PANEL],
    }),
    profile(
        D::OsteoarthritisHip,
        Some(&OSTEOARTHRITIS_HIP),
        [0.0, 0.0, 0.1, 0.5, 1.6, 3.6, 5.5, 7.0, 6.5],
        1.1,
        0.9,
    )
    .raised_by(&[(D::Obesity, 1.5)])
    .care(0.35, &[drug(&[&NAPROXEN_220, &ACETAMINOPHEN_500], 0.6, 0)], &[&[&PAIN]])
    .stay(Stay {
        code: &OSTEOARTHRITIS_HIP,
        per_year: 0.025,
        nights: (1, 4),
        drugs: &[&OXYCODONE_5, &ENOXAPARIN_30, &CEFAZOLIN, &SEVOFLURANE],
        procedures: &[&HIP_REPLACEMENT, &PHYSICAL_THERAPY],
        panels: &[BLOOD_PANEL],
    }),
    profile(
        D::OsteoarthritisHand,
        Some(&OSTEOARTHRITIS_HAND),
        [0.0, 0.0, 0.1, 0.6, 2.0, 3.5, 4.0, 4.0, 3.5],
        1.4,
        0.6,
    )
    .care(0.2, &[drug(&[&NAPROXEN_220, &ACETAMINOPHEN_325], 0.5, 0)], &[]),
    profile(
        D::Osteoporosis,
        Some(&OSTEOPOROSIS),
        [0.0, 0.0, 0.0, 0.07, 0.42, 2.8, 6.3, 9.1, 10.5],
        1.6,
        0.4,
    )
    .care(
        0.3,
        &[drug(&[&ALENDRONATE, &ALENDRONATE, &DENOSUMAB, &ZOLEDRONATE], 0.65, 0)],
        &[&[&BONE_DENSITY_SCORE]],
    ),
    profile(
        D::RheumatoidArthritis,
        Some(&RHEUMATOID_ARTHRITIS),
        [0.0, 0.05, 0.2, 0.4, 0.6, 0.8, 0.9, 0.8, 0.5],
        1.4,
        0.6,
    )
    .raised_by(&[(D::Smoking, 1.5)])
    .death(1.3)
    .care(
        1.4,
        &[drug(&[&METHOTREXATE], 0.7, 0), drug(&[&PREDNISONE_5], 0.4, 0)],
        &[&[&C_REACTIVE_PROTEIN], LIVER_PANEL],
    ),
    profile(D::Lupus, Some(&LUPUS), [0.0, 0.06, 0.15, 0.14, 0.1, 0.07, 0.04, 0.02, 0.0], 1.7, 0.3)
        .death(1.6)
        .care(1.4, &[drug(&[&HYDROXYCHLOROQUINE], 0.85, 0)], &[BLOOD_PANEL]),
    profile(
        D::Fibromyalgia,
        Some(&FIBROMYALGIA),
        [0.0, 0.3, 1.0, 1.4, 1.6, 1.3, 0.6, 0.3, 0.1],
        1.6,
        0.4,
    )
    .care(0.8, &[drug(&[&MILNACIPRAN, &PREGABALIN], 0.6, 0)], &[&[&PAIN]]),
    profile(D::Gout, Some(&GOUT), [0.0, 0.0, 0.28, 0.84, 1.4, 2.1, 2.8, 3.15, 3.15], 0.5, 1.5)
        .raised_by(&[(D::Obesity, 1.6), (D::ChronicKidney, 1.7), (D::Hypertension, 1.3)])
        .care(0.4, &[drug(&[&ALLOPURINOL], 0.7, 0), drug(&[&COLCHICINE], 0.3, 0)], &[]),
    profile(
        D::BackPain,
        Some(&CHRONIC_BACK_PAIN),
        [0.0, 0.48, 1.8, 3.0, 3.6, 3.6, 3.0, 2.4, 1.8],
        1.05,
        0.95,
    )
    .raised_by(&[(D::Obesity, 1.3)])
    .care(0.5, &[drug(&[&TRAMADOL, &NAPROXEN_500, &HYDROCODONE_5], 0.4, 0)], &[&[&PAIN]])
    .plan(&PAIN_PLAN),
    profile(
        D::NeckPain,
        Some(&CHRONIC_NECK_PAIN),
        [0.0, 0.18, 0.72, 1.2, 1.44, 1.2, 0.84, 0.6, 0.48],
        1.2,
        0.8,
    )
    .care(0.3, &[drug(&[&NAPROXEN_220, &TRAMADOL], 0.4, 0)], &[&[&PAIN]]),
    profile(
        D::ChronicPain,
        Some(&CHRONIC_PAIN),
        [0.0, 0.12, 0.48, 0.84, 1.2, 1.44, 1.44, 1.32, 1.2],
        1.1,
        0.9,
    )
    .raised_by(&[(D::BackPain, 2.0), (D::RheumatoidArthritis, 2.0)])
    .care(0.6, &[drug(&[&OXYCODONE_10, &HYDROCODONE_75, &TRAMADOL], 0.4, 0)], &[&[&PAIN]]),
    profile(
        D::Hypothyroidism,
        Some(&HYPOTHYROIDISM),
        [0.08, 0.48, 0.96, 1.6, 2.08, 2.56, 2.88, 3.2, 3.2],
        1.6,
        0.4,
    )
    .care(0.5, &[drug(&[&LEVOTHYROXINE], 0.95, 0)], &[&[&THYROTROPIN, &THYROXINE]]),
    profile(
        D::Reflux,
        Some(&REFLUX_DISEASE),
        [0.3, 0.6, 2.1, 3.3, 4.2, 4.2, 3.6, 3.0, 2.4],
        1.0,
        1.0,
    )
    .raised_by(&[(D::Obesity, 1.5)])
    .care(0.3, &[], &[]),
    profile(
        D::IrritableBowel,
        Some(&IRRITABLE_BOWEL),
        [0.07, 1.12, 1.82, 1.4, 1.05, 0.7, 0.42, 0.28, 0.21],
        1.4,
        0.6,
    )
    .care(0.3, &[], &[]),
    profile(
        D::UlcerativeColitis,
        Some(&ULCERATIVE_COLITIS),
        [0.02, 0.12, 0.18, 0.15, 0.12, 0.12, 0.1, 0.08, 0.05],
        1.0,
        1.0,
    )
    .care(1.2, &[drug(&[&PREDNISONE_20], 0.4, 0)], &[BLOOD_PANEL, &[&C_REACTIVE_PROTEIN]]),
    profile(
        D::Crohn,
        Some(&CROHN),
        [0.03, 0.18, 0.18, 0.12, 0.08, 0.07, 0.06, 0.04, 0.02],
        1.0,
        1.0,
    )
    .care(1.4, &[drug(&[&PREDNISONE_5], 0.4, 0)], &[BLOOD_PANEL, IRON_PANEL]),
    profile(
        D::ColonPolyp,
        Some(&COLON_POLYP),
        [0.0, 0.0, 0.1, 0.6, 3.0, 9.0, 11.0, 9.0, 5.0],
        0.85,
        1.15,
    )
    .raised_by(&[(D::Obesity, 1.3), (D::Smoking, 1.3)]),
    profile(
        D::Rhinitis,
        Some(&ALLERGIC_RHINITIS),
        [4.2, 3.0, 1.8, 1.2, 0.9, 0.6, 0.36, 0.24, 0.12],
        1.05,
        0.95,
    )
    .care(
        0.15,
        &[drug(&[&LORATADINE_10, &LORATADINE_5, &CETIRIZINE_5, &FEXOFENADINE_30], 0.6, 0)],
        &[],
    ),
    profile(
        D::SeasonalRhinitis,
        Some(&SEASONAL_RHINITIS),
        [3.6, 3.0, 1.8, 1.2, 0.9, 0.6, 0.36, 0.24, 0.12],
        1.05,
        0.95,
    )
    .care(0.15, &[drug(&[&CETIRIZINE_10, &FEXOFENADINE_60, &DIPHENHYDRAMINE], 0.6, 0)], &[]),
    profile(
        D::Sinusitis,
        Some(&CHRONIC_SINUSITIS),
        [0.5, 1.0, 1.5, 1.75, 1.75, 1.5, 1.25, 1.0, 0.5],
        1.1,
        0.9,
    )
    .care(0.2, &[], &[]),
    profile(
        D::Eczema,
        Some(&ATOPIC_DERMATITIS),
        [7.0, 1.0, 0.4, 0.3, 0.25, 0.25, 0.25, 0.25, 0.2],
        1.0,
        1.0,
    )
    .care(0.25, &[drug(&[&HYDROCORTISONE], 0.7, 0)], &[])
    .plan(&SKIN_CARE),
    profile(
        D::Psoriasis,
        Some(&PSORIASIS),
        [0.2, 0.6, 0.9, 0.9, 0.9, 0.9, 0.8, 0.6, 0.4],
        1.0,
        1.0,
    )
    .care(0.4, &[drug(&[&METHOTREXATE, &HYDROCORTISONE], 0.6, 0)], &[]),
    profile(
        D::SleepApnea,
        Some(&SLEEP_APNEA),
        [0.12, 0.18, 0.6, 1.8, 3.0, 3.6, 3.0, 1.8, 0.9],
        0.7,
        1.3,
    )
    .raised_by(&[(D::Obesity, 2.8)])
    .care(0.3, &[], &[]),
    profile(
        D::SleepDisorder,
        Some(&SLEEP_DISORDER),
        [0.15, 0.5, 1.0, 1.25, 1.5, 1.75, 1.75, 1.75, 1.75],
        1.2,
        0.8,
    )
    .raised_by(&[(D::Depression, 1.8), (D::Anxiety, 1.5)])
    .care(0.2, &[], &[]),
    profile(
        D::ProstateHyperplasia,
        Some(&PROSTATE_HYPERPLASIA),
        [0.0, 0.0, 0.0, 0.4, 4.0, 13.0, 22.0, 26.0, 24.0],
        0.0,
        1.0,
    )
    .care(0.35, &[], &[&[&PROSTATE_ANTIGEN]]),
    profile(D::Glaucoma, Some(&GLAUCOMA), [0.0, 0.0, 0.1, 0.3, 0.9, 1.8, 3.2, 4.8, 5.5], 1.0, 1.0)
        .raised_by(&[(D::Diabetes, 1.4)])
        .care(0.5, &[], &[]),
    profile(
        D::Cataract,
        Some(&CATARACT),
        [0.02, 0.02, 0.05, 0.2, 1.2, 5.0, 15.0, 26.0, 28.0],
        1.1,
        0.9,
    )
    .raised_by(&[(D::Diabetes, 1.6)])
    .care(0.2, &[], &[]),
    profile(
        D::HearingLoss,
        Some(&HEARING_LOSS),
        [0.5, 0.4, 0.6, 1.0, 2.5, 5.0, 9.0, 15.0, 20.0],
        0.85,
        1.15,
    )
    .care(0.15, &[], &[]),
    profile(D::Anemia, Some(&ANEMIA), [0.9, 0.9, 1.5, 1.5, 1.2, 1.2, 2.1, 3.6, 5.4], 1.4, 0.6)
        .raised_by(&[(D::ChronicKidney, 3.0), (D::ColonCancer, 2.0), (D::Crohn, 2.0)])
        .care(
            0.4,
            &[drug(&[&FERROUS_SULFATE, &FERROUS_SULFATE, &CYANOCOBALAMIN], 0.7, 0)],
            &[BLOOD_PANEL, IRON_PANEL],
        ),
    profile(
        D::MitralRegurgitation,
        Some(&MITRAL_REGURGITATION),
        [0.02, 0.02, 0.1, 0.2, 0.5, 1.0, 2.2, 4.0, 5.0],
        1.0,
        1.0,
    )
    .death(1.2)
    .care(0.4, &[], &[&[&EJECTION_FRACTION]]),
    profile(
        D::AorticStenosis,
        Some(&AORTIC_STENOSIS),
        [0.01, 0.01, 0.03, 0.08, 0.2, 0.6, 1.8, 4.0, 7.0],
        0.9,
        1.1,
    )
    .death(1.4)
    .care(0.5, &[], &[&[&EJECTION_FRACTION]]),
    profile(
        D::AorticRegurgitation,
        Some(&AORTIC_REGURGITATION),
        [0.01, 0.01, 0.03, 0.1, 0.2, 0.5, 1.0, 1.6, 2.0],
        0.9,
        1.1,
    )
    .death(1.2)
    .care(0.4, &[], &[]),
    profile(
        D::Scoliosis,
        Some(&SCOLIOSIS),
        [0.5, 2.2, 0.2, 0.1, 0.1, 0.1, 0.2, 0.2, 0.2],
        1.5,
        0.5,
    )
    .care(0.2, &[], &[]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_stand_in_the_order_of_the_enum_and_risks_come_first() {
        for (place, profile) in PROFILES.iter().enumerate() {
            assert_eq!(profile.disease as usize, place, "{:?}", profile.disease);
            for (risk, times) in profile.raised_by {
                assert!(*risk < profile.disease, "{risk:?} after {:?}", profile.disease);
                assert!(*times >= 1.0);
            }
        }
    }
}
