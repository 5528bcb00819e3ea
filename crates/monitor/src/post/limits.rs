//! When to try again: what a server asked for, and what is decent where it said nothing.

use std::time::{Duration, SystemTime};

/// No server's word holds for longer: a typing error in a proxy must not silence a fleet.
const ASKED_MAX: Duration = Duration::from_secs(24 * 60 * 60);
const BACKOFF_MAX: Duration = Duration::from_secs(5 * 60);
const BACKOFF_FIRST: Duration = Duration::from_secs(1);
/// After a 429 that says nothing: <https://develop.sentry.dev/sdk/expected-features/rate-limiting/>.
pub(super) const TOO_MANY_DEFAULT: Duration = Duration::from_secs(60);

/// How long the server wants no errors from us: `X-Sentry-Rate-Limits`, else `Retry-After` where `is_refusal`.
pub(super) fn asked(
    rate_limits: Option<&str>,
    retry_after: Option<&str>,
    is_refusal: bool,
    now: SystemTime,
) -> Option<Duration> {
    let asked = match rate_limits {
        Some(limits) => limits.split(',').filter_map(limit_for_errors).max(),
        None if is_refusal => retry_after.and_then(|value| seconds(value).or_else(|| until(value, now))),
        None => None,
    };
    asked.map(|asked| asked.min(ASKED_MAX))
}

/// The pause after the n-th failure in a row: exponential with full jitter; `random` is uniform.
pub(super) fn backoff(failures: u32, random: u64) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    let ceiling = BACKOFF_FIRST.saturating_mul(1 << doublings).min(BACKOFF_MAX);
    let ceiling_ms = u64::try_from(ceiling.as_millis()).unwrap_or(u64::MAX);
    // At least a little, so that a failure that costs nothing does not spin.
    Duration::from_millis(50 + random % ceiling_ms)
}

/// `60:error;transaction:organization`; no category means all, and ours are `error` and `default`.
fn limit_for_errors(limit: &str) -> Option<Duration> {
    let mut fields = limit.trim().split(':');
    let asked = seconds(fields.next()?)?;
    let categories = fields.next().unwrap_or_default();
    let ours = |category: &str| matches!(category.trim(), "error" | "default");
    (categories.trim().is_empty() || categories.split(';').any(ours)).then_some(asked)
}

fn seconds(text: &str) -> Option<Duration> {
    let number: f64 = text.trim().parse().ok().filter(|number: &f64| !number.is_nan())?;
    Duration::try_from_secs_f64(number.min(ASKED_MAX.as_secs_f64())).ok()
}

fn until(date: &str, now: SystemTime) -> Option<Duration> {
    httpdate::parse_http_date(date.trim()).ok()?.duration_since(now).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(limits: Option<&str>, retry: Option<&str>, refusal: bool) -> Option<u64> {
        // Sunday, 6 November 1994, 08:49:07 GMT.
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_747);
        asked(limits, retry, refusal, now).map(|asked| asked.as_secs())
    }

    #[test]
    fn what_a_server_asks_for_is_honoured_and_capped() {
        let cases = [
            (Some("60:error:key"), None, false, Some(60)),
            (Some("60::key"), None, true, Some(60)),
            (Some("60"), None, true, Some(60)),
            (Some("9:transaction;span:key"), None, true, None),
            (Some("9:transaction:key, 2700:default;error;security:organization"), None, true, Some(2700)),
            (Some("60:error:key"), Some("5"), true, Some(60)),
            (Some("99999999999999:error"), None, true, Some(86_400)),
            (Some("rubbish,:::,-5:error,NaN:error"), None, true, None),
            (None, Some("17"), true, Some(17)),
            (None, Some("17"), false, None),
            (None, Some("1e300"), true, Some(86_400)),
            (None, Some("-1"), true, None),
            (None, Some("Sun, 06 Nov 1994 08:49:37 GMT"), true, Some(30)),
            (None, Some("Sun, 06 Nov 1990 08:49:37 GMT"), true, None),
            (None, None, true, None),
        ];
        for (limits, retry, refusal, expected) in cases {
            assert_eq!(check(limits, retry, refusal), expected, "{limits:?} {retry:?} {refusal}");
        }
    }

    #[test]
    fn backoff_grows_to_five_minutes_and_is_spread_over_all_of_it() {
        let longest =
            |failures| (0..400_000).step_by(999).map(|random| backoff(failures, random)).max().unwrap();
        let shortest = backoff(30, 0);
        assert!(longest(1) < Duration::from_millis(1_051));
        assert!(longest(3) > Duration::from_secs(3) && longest(3) < Duration::from_millis(4_051));
        assert!(longest(30) > Duration::from_secs(290) && longest(u32::MAX) < Duration::from_secs(301));
        assert_eq!(shortest, Duration::from_millis(50));
    }
}
