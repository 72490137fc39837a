//! Devices, supplies, survey questions, allergens and reactions.

use super::procedures::*;
use super::{Code, allergen, body_site, codes, device, finding, modality, question, reaction};

codes! { DEVICES, device;
    GLUCOSE_METER "337414009" "Blood glucose meter";
    NEBULIZER "170615005" "Home nebulizer";
    CPAP_UNIT "702172008" "Home CPAP unit";
    HUMIDIFIER "706180003" "Respiratory humidifier";
    OXYGEN_CONCENTRATOR "336621006" "Oxygen concentrator";
    PORTABLE_OXYGEN "464173000" "Portable oxygen concentrator";
    WHEELCHAIR "228869008" "Manual wheelchair";
    POWER_WHEELCHAIR "705427004" "Powered wheelchair";
    WALKER "705406009" "Walker";
    HOSPITAL_BED "91537007" "Hospital bed";
    COMMODE "360008003" "Commode";
    CORONARY_STENT "705643001" "Coronary stent";
    DEFIBRILLATOR "72506001" "Implantable defibrillator";
    PACEMAKER "706004007" "Implantable pacemaker";
}

codes! { SUPPLIES, device;
    TEST_STRIPS "337388004" "Blood glucose test strips";
    LANCETS "1137596000" "Blood lancets";
    AIR_FILTER "972002" "Air filter";
    AIR_TUBING "463659001" "Tubing for medical air";
    CPAP_MASK "704718009" "CPAP mask";
    CPAP_CUSHION "706226000" "Cushion of CPAP mask";
    RESPIRATOR "409534002" "Disposable respirator mask";
    GLOVES "713779008" "Nitrile gloves";
    GOWN "469673003" "Isolation gown";
    FACE_SHIELD "706724001" "Face shield";
}

codes! { QUESTIONS, question;
    SMOKING_STATUS "72166-2" "Smoking status";
    HOUSING_STATUS "71802-3" "Housing situation";
    WORK_STATUS "67875-5" "Work situation";
    SCHOOL_FINISHED "82589-3" "Highest school finished";
    LANGUAGE "54899-0" "Preferred language";
    INSURANCE "76437-3" "Main insurance";
    REFUGEE_STATUS "93027-1" "Is a refugee";
    FEELS_SAFE "93026-3" "Feels safe at home";
    TRANSPORT "93030-5" "Lack of transport kept from care";
    STRESS_LEVEL "93038-8" "How stressed";
    SOCIAL_CONTACT "93029-7" "How often sees close people";
    CAUSE_OF_DEATH "69453-9" "Cause of death";
    NYHA_CLASS "88020-3" "NYHA class";
}

codes! { LAB_FINDINGS, finding;
    TUMOR_STAGE "21908-9" "Stage of cancer";
    ESTROGEN_RECEPTOR "85337-4" "Estrogen receptor of breast cancer";
    PROGESTERONE_RECEPTOR "85339-0" "Progesterone receptor of breast cancer";
    HER2_RECEPTOR "85319-2" "HER2 of breast cancer";
    OCCULT_BLOOD "57905-2" "Hidden blood in stool";
    INFLUENZA_A "80382-5" "Influenza A antigen";
    INFLUENZA_B "80383-3" "Influenza B antigen";
    COVID_TEST "94531-1" "SARS-CoV-2 test";
    URINE_LEUKOCYTES "5799-2" "White cells in urine by strip";
    URINE_NITRITE "5802-4" "Nitrite in urine by strip";
    BLOOD_CULTURE "600-7" "Bacteria in blood culture";
}

codes! { REACTIONS, reaction;
    ITCHING "418290006" "Itching";
    SKIN_RASH "271807003" "Rash";
    SNEEZING "76067001" "Sneezing";
    HIVES "247472004" "Hives";
    ANAPHYLAXIS "39579001" "Anaphylaxis";
}

codes! { MODALITIES, modality;
    RADIOGRAPHY "DX" "Digital radiography";
    TOMOGRAPHY "CT" "Computed tomography";
    MAMMOGRAM "MG" "X-ray of breasts";
    ULTRASOUND "US" "Ultrasound";
    MAGNETIC_RESONANCE "MR" "Magnetic resonance";
}

codes! { BODY_SITES, body_site;
    CHEST "51185008" "Chest";
    WRIST "8205005" "Wrist";
    ANKLE "344001" "Ankle";
    KNEE "72696002" "Knee";
    CLAVICLE "51299004" "Collarbone";
    UPPER_ARM "40983000" "Upper arm";
    PELVIS "12921003" "Pelvis";
    HEAD "69536005" "Head";
    BREAST "76752008" "Breast";
    HEART "80891009" "Heart";
    SPINE "421060004" "Spine";
    BRAIN "12738006" "Brain";
    PREGNANT_UTERUS "35039007" "Uterus";
}

/// The image that a procedure makes: modality and body site.
pub(crate) static IMAGES: &[(&Code, &Code, &Code)] = &[
    (&CHEST_XRAY, &RADIOGRAPHY, &CHEST),
    (&WRIST_XRAY, &RADIOGRAPHY, &WRIST),
    (&ANKLE_XRAY, &RADIOGRAPHY, &ANKLE),
    (&KNEE_XRAY, &RADIOGRAPHY, &KNEE),
    (&CLAVICLE_XRAY, &RADIOGRAPHY, &CLAVICLE),
    (&UPPER_ARM_XRAY, &RADIOGRAPHY, &UPPER_ARM),
    (&PELVIS_XRAY, &RADIOGRAPHY, &PELVIS),
    (&CHEST_CT, &TOMOGRAPHY, &CHEST),
    (&HEAD_CT, &TOMOGRAPHY, &HEAD),
    (&SCREENING_MAMMOGRAPHY, &MAMMOGRAM, &BREAST),
    (&MAMMOGRAPHY, &MAMMOGRAM, &BREAST),
    (&BREAST_ULTRASOUND, &ULTRASOUND, &BREAST),
    (&ECHOCARDIOGRAM, &ULTRASOUND, &HEART),
    (&FETAL_ULTRASOUND, &ULTRASOUND, &PREGNANT_UTERUS),
    (&BREAST_MRI, &MAGNETIC_RESONANCE, &BREAST),
    (&BRAIN_MRI, &MAGNETIC_RESONANCE, &BRAIN),
    (&SPINE_MRI, &MAGNETIC_RESONANCE, &SPINE),
];

/// What a person may be allergic to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Allergen {
    pub(crate) code: Code,
    /// `food`, `environment` or `medication`.
    pub(crate) category: &'static str,
    pub(crate) weight: f64,
}

const fn food(code: &'static str, name: &'static str, weight: f64) -> Allergen {
    Allergen { code: allergen(code, name), category: "food", weight }
}
const fn environment(code: &'static str, name: &'static str, weight: f64) -> Allergen {
    Allergen { code: allergen(code, name), category: "environment", weight }
}
const fn medication(code: &'static str, name: &'static str, weight: f64) -> Allergen {
    let vocabulary = "RxNorm";
    let code = Code { vocabulary, code, name, domain: "Observation", class: "Ingredient" };
    Allergen { code, category: "medication", weight }
}

/// Allergens and how common they are among the allergic.
pub(crate) static ALLERGENS: &[Allergen] = &[
    environment("84489001", "Mold", 8.0),
    environment("264287008", "Animal dander", 9.0),
    environment("260147004", "House dust mite", 10.0),
    environment("256277009", "Grass pollen", 10.0),
    environment("782576004", "Tree pollen", 9.0),
    environment("288328004", "Bee venom", 2.0),
    environment("111088007", "Latex", 2.0),
    food("102263004", "Eggs", 2.5),
    food("735029006", "Shellfish", 3.5),
    food("442571000124108", "Tree nut", 3.0),
    food("735971005", "Fish", 2.0),
    food("3718001", "Cow's milk", 3.0),
    food("762952008", "Peanut", 4.0),
    food("412071004", "Wheat", 1.5),
    food("256355007", "Soy", 1.2),
    medication("1191", "Aspirin", 2.0),
    medication("7984", "Penicillin V", 4.0),
    medication("29046", "Lisinopril", 1.5),
    medication("25037", "Cefdinir", 1.0),
    medication("5640", "Ibuprofen", 1.5),
    medication("10831", "Sulfamethoxazole and trimethoprim", 2.0),
];
