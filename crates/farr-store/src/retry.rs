//! Repeating requests that fail for a while: with growing pauses, and a budget
//! of tries and of seconds.
//!
//! This sits below `object_store`, around each HTTP request, rather than in its
//! own retries: those let a request that is not idempotent fail when the
//! connection is cut, and an answer whose body is cut short. Here all requests
//! are repeated, and who sends one that must not be done twice marks what it
//! writes (see `write.rs`).

use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService,
    ReqwestConnector,
};
use object_store::{Certificate, ClientOptions};

/// How often and how long a request is repeated.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Retries {
    /// Repetitions after the first try.
    pub(crate) count_max: usize,
    /// No try starts once so much time has passed.
    pub(crate) time_max: Duration,
}

impl Default for Retries {
    fn default() -> Self {
        Self { count_max: 10, time_max: Duration::from_mins(3) }
    }
}

const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(15);

/// The tries of one request.
pub(crate) struct Tries {
    retries: Retries,
    started: Instant,
    count: usize,
}

impl Tries {
    pub(crate) fn new(retries: Retries) -> Self {
        Self { retries, started: Instant::now(), count: 1 }
    }

    /// Waits before the next try; false if there is to be none. `asked` is how
    /// long the store asks to be left alone.
    pub(crate) async fn again(&mut self, asked: Option<Duration>) -> bool {
        if self.count > self.retries.count_max {
            return false;
        }
        let growing = PAUSE_MIN * 2_u32.pow(u32::try_from(self.count - 1).unwrap_or(16).min(16));
        // Between half and all of it, so that many clients do not come at once.
        let pause = growing.min(PAUSE_MAX).mul_f64(0.5 + 0.5 * unit_random());
        let pause = pause.max(asked.unwrap_or_default());
        if self.started.elapsed() + pause >= self.retries.time_max {
            return false;
        }
        self.count += 1;
        tokio::time::sleep(pause).await;
        true
    }

    /// The error of an answer that broke off each time.
    pub(crate) fn broke_off(&self, error: &object_store::Error) -> object_store::Error {
        let gave_up = self.gave_up(error.to_string());
        let source = HttpError::new(HttpErrorKind::Interrupted, gave_up).into();
        object_store::Error::Generic { store: "HTTP", source }
    }

    fn gave_up(&self, answer: String) -> GaveUp {
        GaveUp { tries: self.count, seconds: self.started.elapsed().as_secs_f64(), answer }
    }
}

/// From 0 to 1, for the length of pauses.
fn unit_random() -> f64 {
    RandomState::new().hash_one(0) as f64 / u64::MAX as f64
}

/// What a request came to when its budget was used up.
#[derive(Debug, thiserror::Error)]
#[error("given up after {tries} tries in {seconds:.1} s: {answer}")]
pub(crate) struct GaveUp {
    tries: usize,
    seconds: f64,
    answer: String,
}

/// Makes HTTP clients that repeat requests, and that trust further authorities.
#[derive(Debug, Clone)]
pub(crate) struct Connector {
    pub(crate) retries: Retries,
    pub(crate) certificates: Vec<Certificate>,
    /// Whether content may come in answers to requests without a range.
    pub(crate) streams_whole: bool,
}

impl HttpConnector for Connector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let certificates = self.certificates.iter().cloned();
        let options = certificates.fold(options.clone(), ClientOptions::with_root_certificate);
        let client = ReqwestConnector::default().connect(&options)?;
        let (retries, streams_whole) = (self.retries, self.streams_whole);
        Ok(HttpClient::new(Repeating { client, retries, streams_whole }))
    }
}

#[derive(Debug)]
struct Repeating {
    client: HttpClient,
    retries: Retries,
    streams_whole: bool,
}

/// Hosts that tell a machine in a cloud its role: elsewhere they do not answer,
/// and nobody should wait for them.
const METADATA_HOSTS: [&str; 3] = ["169.254.169.254", "169.254.170.2", "metadata.google.internal"];

/// How an answer is to be taken.
enum Taken {
    /// As it is.
    Final(HttpResponse),
    /// As a failure that passes, in words; perhaps with a wish for a pause.
    Passing(String, Option<Duration>),
}

impl HttpService for Repeating {
    fn call<'a, 'b>(
        &'a self,
        request: HttpRequest,
    ) -> BoxFuture<'b, Result<HttpResponse, HttpError>>
    where
        'a: 'b,
        Self: 'b,
    {
        Box::pin(self.repeat(request))
    }
}

impl Repeating {
    async fn repeat(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let mut retries = self.retries;
        if request.uri().host().is_some_and(|host| METADATA_HOSTS.contains(&host)) {
            retries.count_max = retries.count_max.min(2);
        }
        let mut tries = Tries::new(retries);
        loop {
            match self.once(request.clone()).await {
                Ok(Taken::Final(response)) => return Ok(response),
                Ok(Taken::Passing(answer, asked)) => {
                    if !tries.again(asked).await {
                        let gave_up = tries.gave_up(answer);
                        return Err(HttpError::new(HttpErrorKind::Unknown, gave_up));
                    }
                }
                Err(error) if is_about_certificates(&error) => return Err(error),
                Err(error) => {
                    if !tries.again(None).await {
                        let gave_up = tries.gave_up(in_words(&error));
                        return Err(HttpError::new(error.kind(), gave_up));
                    }
                }
            }
        }
    }

    async fn once(&self, request: HttpRequest) -> Result<Taken, HttpError> {
        let is_read = request.method().as_str() == "GET";
        let is_ranged = request.headers().contains_key("range");
        let response = self.client.execute(request).await?;
        let status = response.status();
        // Content is passed on while it comes; who reads it asks again for what
        // is missing.
        if status.is_success() && is_read && (is_ranged || self.streams_whole) {
            return Ok(Taken::Final(response));
        }
        let (parts, body) = response.into_parts();
        let body = body.bytes().await?;
        let text = String::from_utf8_lossy(&body);
        if is_passing(status.as_u16(), is_read, &text) {
            let header = parts.headers.get("retry-after");
            let seconds = header.and_then(|value| value.to_str().ok()?.trim().parse().ok());
            let answer = format!("the store answers {status} {}", excerpt(&text));
            return Ok(Taken::Passing(answer, seconds.map(Duration::from_secs)));
        }
        Ok(Taken::Final(HttpResponse::from_parts(parts, body.into())))
    }
}

/// Whether an answer says that the same request may well succeed later.
fn is_passing(status: u16, is_read: bool, body: &str) -> bool {
    let says = |code: &str| body.contains(&format!("<Code>{code}</Code>"));
    match status {
        // S3 begins some long answers before it knows how they end.
        200 => !is_read && (says("InternalError") || says("SlowDown")),
        // S3's word for a body that came too slowly.
        400 => says("RequestTimeout"),
        409 => says("ConditionalRequestConflict") || says("OperationAborted"),
        408 | 429 | 500 | 502..=504 => true,
        _ => false,
    }
}

fn excerpt(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(300).collect()
}

/// Whether the connection was refused by this side for the other's certificate,
/// which no repetition mends.
pub(crate) fn is_about_certificates(error: &HttpError) -> bool {
    error.kind() == HttpErrorKind::Connect && in_words(error).contains("certificate")
}

/// An error with its causes, which the client's own message leaves out.
fn in_words(error: &HttpError) -> String {
    let mut words = Vec::new();
    let mut next: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = next {
        words.push(error.to_string());
        next = error.source();
    }
    // Some messages hold those of their causes already.
    words.dedup_by(|later, earlier| earlier.ends_with(later.as_str()));
    words.join(": ")
}

/// Whether reading broke off and can be taken up again: an error of the
/// connection whose request was not given up yet.
pub(crate) fn is_cut(error: &object_store::Error) -> bool {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    let mut cut = false;
    while let Some(error) = next {
        if error.is::<GaveUp>() {
            return false;
        }
        if let Some(http) = error.downcast_ref::<HttpError>() {
            cut = !is_about_certificates(http);
        }
        next = error.source();
    }
    cut
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_answers_pass() {
        assert!(is_passing(503, true, ""));
        assert!(is_passing(429, false, ""));
        assert!(!is_passing(501, true, ""));
        assert!(!is_passing(403, true, "<Code>AccessDenied</Code>"));
        assert!(!is_passing(409, false, "<Code>BlobAlreadyExists</Code>"));
        assert!(is_passing(409, false, "<Code>ConditionalRequestConflict</Code>"));
        assert!(is_passing(200, false, "<Error><Code>SlowDown</Code></Error>"));
        // An object may hold anything.
        assert!(!is_passing(200, true, "<Error><Code>SlowDown</Code></Error>"));
    }
}
