//! Numbers as a person reads them: comma thousands, true minus, a unit after a space. The only place that
//! turns a number into text.

/// The true minus.
pub const MINUS: char = '\u{2212}';

/// `38,563`
pub fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `+182`, `−419`, `0`
pub fn signed(value: i64) -> String {
    match value {
        0 => "0".to_owned(),
        1.. => format!("+{}", count(value.unsigned_abs())),
        _ => format!("{MINUS}{}", count(value.unsigned_abs())),
    }
}

/// Fixed decimals with commas and a true minus; blank where there is no number.
pub fn decimal(value: f64, places: usize) -> String {
    if !value.is_finite() {
        return String::new();
    }
    let text = format!("{:.places$}", value.abs());
    let (whole, rest) = text.split_once('.').unwrap_or((&text, ""));
    let whole = whole.parse().map_or_else(|_| whole.to_owned(), count);
    let sign =
        if value < 0.0 && text.bytes().any(|b| (b'1'..=b'9').contains(&b)) { MINUS.to_string() } else { String::new() };
    if rest.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{rest}") }
}

/// Damage and losses: three decimals.
pub fn nats(value: f64) -> String {
    decimal(value, 3)
}

/// `525 k`, `0.91 M`, `1.94 B`; below 10,000 the count itself.
pub fn short(value: u64) -> String {
    match value {
        0..10_000 => count(value),
        10_000..900_000 => format!("{} k", count((value as f64 / 1e3).round() as u64)),
        900_000..900_000_000 => format!("{:.2} M", value as f64 / 1e6),
        _ => format!("{:.2} B", value as f64 / 1e9),
    }
}

/// `17.9 GB`, `91 MB`
pub fn bytes(value: u64) -> String {
    let value = value as f64;
    if value >= 1e9 {
        format!("{:.1} GB", value / 1e9)
    } else if value >= 1e6 {
        format!("{:.0} MB", value / 1e6)
    } else {
        format!("{:.0} kB", (value / 1e3).ceil())
    }
}

/// `2 s`, `38 min`, `1 h 44 min`
pub fn duration(seconds: f64) -> String {
    if !seconds.is_finite() {
        return String::new();
    }
    if seconds < 1.0 {
        return "1 s".to_owned();
    }
    if seconds < 90.0 {
        return format!("{} s", seconds.round());
    }
    let minutes = (seconds / 60.0).round() as u64;
    if minutes < 60 { format!("{minutes} min") } else { format!("{} h {} min", minutes / 60, minutes % 60) }
}

/// `20.0 %`
pub fn percent(share: f64) -> String {
    if share.is_finite() { format!("{} %", decimal(share * 100.0, 1)) } else { String::new() }
}

/// How long ago, from seconds since 1970.
pub fn ago(then: u64, now: u64) -> String {
    match now.saturating_sub(then) {
        0..120 => "just now".to_owned(),
        s @ 120..7_200 => format!("{} min ago", s / 60),
        s @ 7_200..172_800 => format!("{} h ago", s / 3_600),
        s => format!("{} days ago", s / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_as_the_look_says() {
        assert_eq!(count(38_563), "38,563");
        assert_eq!(count(999), "999");
        assert_eq!(signed(-419), "\u{2212}419");
        assert_eq!(signed(1_182), "+1,182");
        assert_eq!(nats(0.29149), "0.291");
        assert_eq!(decimal(-0.0001, 3), "0.000");
        assert_eq!(decimal(-1234.5, 1), "\u{2212}1,234.5");
        assert_eq!(decimal(f64::NAN, 3), "");
        assert_eq!(short(910_000), "0.91 M");
        assert_eq!(short(525_400), "525 k");
        assert_eq!(bytes(17_900_000_000), "17.9 GB");
        assert_eq!(duration(38.0 * 60.0), "38 min");
        assert_eq!(duration(104.0 * 60.0), "1 h 44 min");
        assert_eq!(percent(0.2), "20.0 %");
        assert_eq!(ago(0, 86_400 * 3), "3 days ago");
    }
}
