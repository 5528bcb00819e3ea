//! Numbers as text, without core's formatting, whose checks would be panics within the node.
//!
//! A number with a fraction is printed by Grisu2: what is read back is the same number, in nearly always the fewest digits.
//! See <https://dl.acm.org/doi/10.1145/1806596.1806623>.

use super::powers::{FIRST, POWERS, STEP};

/// A number's text.
pub(super) struct Text {
    bytes: [u8; Self::ROOM],
    length: usize,
}

impl Text {
    /// `-1.7976931348623157e-308` has 24; whole numbers and zeros behind the point are bounded by the same.
    const ROOM: usize = 32;
    pub(super) const EMPTY: Self = Self { bytes: [0; Self::ROOM], length: 0 };

    pub(super) fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or(&[])
    }

    fn put(&mut self, byte: u8) {
        if let Some(place) = self.bytes.get_mut(self.length) {
            *place = byte;
            self.length += 1;
        }
    }

    fn put_all(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.put(*byte));
    }

    fn put_times(&mut self, byte: u8, times: i32) {
        (0..times).for_each(|_| self.put(byte));
    }

    /// A whole number. Eight digits at a time: bytes that were stored one by one would be slow to load together again.
    pub(super) fn put_count(&mut self, number: u64) {
        const EIGHT: u64 = 100_000_000;
        if number >= EIGHT {
            self.put_count(number / EIGHT);
            self.put_eight(eight_digits(number % EIGHT), 0);
        } else {
            let digits = eight_digits(number);
            // At least one digit stands there.
            self.put_eight(digits, ((digits | 1 << 63).trailing_zeros() / 8).min(7));
        }
    }

    /// Puts digits, first one lowest, without so many in front.
    fn put_eight(&mut self, digits: u64, without: u32) {
        const ZEROS: u64 = u64::MAX / 0xFF * b'0' as u64;
        let shown = (digits | ZEROS) >> (8 * without);
        if let Some(place) = self.bytes.get_mut(self.length..).and_then(|rest| rest.first_chunk_mut::<8>()) {
            *place = shown.to_le_bytes();
            self.length += 8 - without as usize;
        }
    }

    /// Any number, as both formats want it.
    pub(super) fn put_number(&mut self, value: f64) {
        if value.is_nan() {
            return self.put_all(b"NaN");
        }
        if value.is_infinite() {
            return self.put_all(if value > 0.0 { b"+Inf" } else { b"-Inf" });
        }
        if value < 0.0 {
            self.put(b'-');
        }
        let size = if value < 0.0 { -value } else { value };
        let whole = size as u64;
        if size < WHOLE_MAX && whole as f64 == size {
            self.put_count(whole);
        } else {
            self.put_float(size);
        }
    }

    /// The same, where a number without a point would be another's: a bound in OpenMetrics.
    pub(super) fn put_bound(&mut self, value: f64) {
        self.put_number(value);
        if self.bytes().iter().all(|byte| byte.is_ascii_digit() || *byte == b'-') {
            self.put_all(b".0");
        }
    }

    fn put_float(&mut self, value: f64) {
        let mut digits = Self::EMPTY;
        let power = grisu(value, &mut digits);
        let count = digits.length as i32;
        // How many digits stand before the point.
        let before = count + power;
        if (1..=17).contains(&before) {
            let (front, rest) =
                digits.bytes().split_at_checked(before as usize).unwrap_or((digits.bytes(), &[]));
            self.put_all(front);
            self.put_times(b'0', power);
            if !rest.is_empty() {
                self.put(b'.');
                self.put_all(rest);
            }
        } else if (-5..=0).contains(&before) {
            self.put_all(b"0.");
            self.put_times(b'0', -before);
            self.put_all(digits.bytes());
        } else {
            let (front, rest) = digits.bytes().split_at_checked(1).unwrap_or((&[], &[]));
            self.put_all(front);
            if !rest.is_empty() {
                self.put(b'.');
                self.put_all(rest);
            }
            self.put_all(if before > 0 { b"e+" } else { b"e-" });
            self.put_count(u64::from((before - 1).unsigned_abs()));
        }
    }
}

/// The digits of the largest number.
const DIGITS_MAX: usize = 20;
/// Below this a number may be taken for a whole one: 2^53.
const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;
const FRACTION_BITS: u32 = 52;

/// The digits of a number below 10^8, a byte each, the first one lowest.
const fn eight_digits(number: u64) -> u64 {
    let fours = (number / 10_000) | ((number % 10_000) << 32);
    let hundreds = ((fours * 10_486) >> 20) & 0x0000_007F_0000_007F;
    let twos = hundreds | (fours - 100 * hundreds) << 16;
    let tens = ((twos * 103) >> 10) & 0x000F_000F_000F_000F;
    tens | (twos - 10 * tens) << 8
}

/// A number as `fraction` times 2^`exponent`.
#[derive(Clone, Copy)]
struct Binary {
    fraction: u64,
    exponent: i32,
}

impl Binary {
    fn of(value: f64) -> Self {
        let bits = value.to_bits();
        let biased = (bits >> FRACTION_BITS) as i32 & 0x7FF;
        let fraction = bits & ((1 << FRACTION_BITS) - 1);
        let bias = 1023 + FRACTION_BITS as i32;
        if biased == 0 {
            Self { fraction, exponent: 1 - bias }
        } else {
            Self { fraction: fraction | 1 << FRACTION_BITS, exponent: biased - bias }
        }
    }

    fn normalized(self) -> Self {
        let shift = self.fraction.leading_zeros();
        Self { fraction: self.fraction.wrapping_shl(shift), exponent: self.exponent - shift as i32 }
    }

    /// Halfway to the next smaller and the next larger number.
    fn borders(self) -> (Self, Self) {
        let upper = Self { fraction: (self.fraction << 1) + 1, exponent: self.exponent - 1 }.normalized();
        let lower = if self.fraction == 1 << FRACTION_BITS {
            Self { fraction: (self.fraction << 2) - 1, exponent: self.exponent - 2 }
        } else {
            Self { fraction: (self.fraction << 1) - 1, exponent: self.exponent - 1 }
        };
        let shift = (lower.exponent - upper.exponent).unsigned_abs();
        (Self { fraction: lower.fraction.wrapping_shl(shift), exponent: upper.exponent }, upper)
    }

    fn times(self, other: Self) -> Self {
        let product = u128::from(self.fraction) * u128::from(other.fraction);
        let rounded = (product >> 64) as u64 + (product as u64 >> 63);
        Self { fraction: rounded, exponent: self.exponent + other.exponent + 64 }
    }
}

/// Writes the digits of a positive number; answers the power of ten that they are to be multiplied by.
fn grisu(value: f64, digits: &mut Text) -> i32 {
    let value = Binary::of(value);
    let (lower, upper) = value.borders();
    let (power, exponent) = power_for(upper.exponent);
    let scaled = value.normalized().times(power);
    // The products are off by one at most: one is left out at each end.
    let upper = upper.times(power);
    let upper = Binary { fraction: upper.fraction.wrapping_sub(1), ..upper };
    let lower = lower.times(power).fraction.wrapping_add(1);
    exponent + generate(scaled.fraction, upper, upper.fraction.wrapping_sub(lower), digits)
}

/// A power of ten that brings a number of this binary exponent near to one of 32 bits before the point, and what undoes it.
fn power_for(exponent: i32) -> (Binary, i32) {
    // log10(2), rounded up, in 32 bits behind the point.
    let scaled = i64::from(-61 - exponent) * 1_292_913_987;
    let wanted = ((scaled + 0xFFFF_FFFF) >> 32) as i32;
    let index = (wanted - FIRST - 1) / STEP + 1;
    let (fraction, binary) = POWERS.get(index.unsigned_abs() as usize).copied().unwrap_or((1, 0));
    (Binary { fraction, exponent: i32::from(binary) }, -(FIRST + index * STEP))
}

/// The shortest digits within `width` below `upper`, then as near to `value` as they can be.
fn generate(value: u64, upper: Binary, width: u64, digits: &mut Text) -> i32 {
    let shift = upper.exponent.unsigned_abs() & 63;
    let one = 1_u64 << shift;
    let distance = upper.fraction.wrapping_sub(value);
    let mut whole = upper.fraction >> shift;
    let mut rest = upper.fraction & (one - 1);
    let mut width = width;
    let mut ten = 1_000_000_000_u64;
    let mut places = 10;
    while places > 0 {
        let digit = whole / ten;
        whole %= ten;
        if digit != 0 || digits.length != 0 {
            digits.put(b'0' + digit as u8);
        }
        places -= 1;
        let left = (whole << shift) + rest;
        if left <= width {
            nearer(digits, width, left, ten << shift, distance);
            return places;
        }
        ten /= 10;
    }
    let mut scale = 1_u64;
    for _ in 0..DIGITS_MAX {
        rest = rest.wrapping_mul(10);
        width = width.wrapping_mul(10);
        scale = scale.wrapping_mul(10);
        let digit = rest >> shift;
        if digit != 0 || digits.length != 0 {
            digits.put(b'0' + digit as u8);
        }
        rest &= one - 1;
        places -= 1;
        if rest < width {
            nearer(digits, width, rest, one, distance.wrapping_mul(scale));
            break;
        }
    }
    places
}

/// Lowers the last digit while that brings the number nearer to the one that is meant.
fn nearer(digits: &mut Text, width: u64, mut left: u64, ten: u64, distance: u64) {
    while left < distance
        && width.wrapping_sub(left) >= ten
        && (left.wrapping_add(ten) < distance
            || distance.wrapping_sub(left) > left.wrapping_add(ten).wrapping_sub(distance))
    {
        let last = digits.length.wrapping_sub(1);
        if let Some(digit) = digits.bytes.get_mut(last) {
            *digit = digit.wrapping_sub(1);
        }
        left = left.wrapping_add(ten);
    }
}

#[cfg(test)]
mod tests {
    use std::string::{String, ToString};

    use super::*;

    fn text(put: impl Fn(&mut Text)) -> String {
        let mut text = Text::EMPTY;
        put(&mut text);
        String::from_utf8(text.bytes().to_vec()).unwrap()
    }

    fn float(value: f64) -> String {
        text(|text| text.put_number(value))
    }

    #[test]
    fn whole_numbers() {
        let cases = [0, 1, 9, 10, 11, 99, 100, 101, 999, 1000, 12_345, u64::MAX - 1, u64::MAX];
        let tens = (0..20).map(|power| 10_u64.pow(power)).flat_map(|ten| [ten - 1, ten, ten + 1]);
        for number in cases.into_iter().chain(tens) {
            assert_eq!(text(|text| text.put_count(number)), number.to_string());
        }
    }

    #[test]
    fn what_others_print_too() {
        let cases = [
            (0.0, "0"),
            (-0.0, "0"),
            (1.0, "1"),
            (-5.0, "-5"),
            (0.1, "0.1"),
            (0.3, "0.3"),
            (0.1 + 0.2, "0.30000000000000004"),
            (-2.5, "-2.5"),
            (1e-5, "0.00001"),
            (1.5e-7, "1.5e-7"),
            (1e17, "1e+17"),
            (12_345_678_901_234_567.0, "12345678901234568"),
            (1e300, "1e+300"),
            (5e-324, "5e-324"),
            (f64::MAX, "1.7976931348623157e+308"),
            (f64::MIN_POSITIVE, "2.2250738585072014e-308"),
            (1.0 / 3.0, "0.3333333333333333"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "+Inf"),
            (f64::NEG_INFINITY, "-Inf"),
        ];
        for (value, expected) in cases {
            assert_eq!(float(value), expected);
        }
        assert_eq!(text(|text| text.put_bound(1.0)), "1.0");
        assert_eq!(text(|text| text.put_bound(0.25)), "0.25");
        assert_eq!(text(|text| text.put_bound(-1e20)), "-1e+20");
    }

    #[test]
    fn what_is_read_back_is_the_same() {
        let count = if cfg!(miri) { 200 } else { 300_000_u64 };
        let mut longer = 0;
        for index in 0..count {
            let mixed = index.wrapping_mul(0x9E37_79B9_7F4A_7C15);
            let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            let value = f64::from_bits(mixed ^ (mixed >> 31));
            if !value.is_finite() {
                continue;
            }
            let text = float(value);
            assert_eq!(text.parse(), Ok(value), "{text}");
            let shortest = std::format!("{value:e}");
            let digits = |text: &str| {
                let text = text.split('e').next().unwrap_or_default().replace(['.', '-'], "");
                text.trim_matches('0').len()
            };
            longer += usize::from(digits(&text) > digits(&shortest));
        }
        assert!(longer as u64 <= count / 500, "{longer}");
    }

    #[test]
    fn short_numbers_are_printed_short() {
        for thousandths in 0..if cfg!(miri) { 100 } else { 100_000 } {
            let value = f64::from(thousandths) / 1000.0;
            assert_eq!(float(value), value.to_string());
        }
    }
}
