//! A job file, and a parameter on its last line behind `--set `: a job or an
//! error that can be printed and holds no written secret.

use farr_job::{Parameter, parse_job};

pub(crate) fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (text, parameter) = match text.rsplit_once("\n--set ") {
        Some((text, parameter)) => (text, Parameter::parse(parameter)),
        None => (text, Parameter::parse("job.name=other")),
    };
    let parameters: Vec<Parameter> = parameter.into_iter().collect();
    let environment = |name: &str| (name == "OUT").then(|| "/out".to_owned());
    match parse_job("job.toml", text, &parameters, &environment) {
        Ok(job) => {
            assert!(!job.job.name.contains('\0') || text.contains('\0') || text.contains('\\'));
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}
