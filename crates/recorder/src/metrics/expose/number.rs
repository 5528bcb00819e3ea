//! Numbers as text, without core's formatting, whose checks would be panics within the node.
//!
//! A number with a fraction is printed by Grisu2: what is read back is the same number, in nearly always the fewest digits.
//! See <https://dl.acm.org/doi/10.1145/1806596.1806623>.

use super::powers::{FIRST, POWERS, STEP};

/// A number's text.
#[derive(Clone, Copy)]
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

    /// A whole number, two digits at a time, from its end.
    pub(super) fn of_count(mut number: u64) -> Self {
        let mut text = Self::EMPTY;
        let mut at = DIGITS_MAX;
        let mut digits = [0; DIGITS_MAX];
        let mut put = |digit: u8| {
            at -= 1;
            if let Some(place) = digits.get_mut(at) {
                *place = digit;
            }
            at
        };
        let mut first = DIGITS_MAX;
        while number >= 10 {
            let pair = (number % 100) as u8;
            put(b'0' + pair % 10);
            first = put(b'0' + pair / 10);
            number /= 100;
        }
        if number > 0 || first == DIGITS_MAX {
            first = put(b'0' + number as u8);
        }
        let digits = digits.get(first..).unwrap_or(&[]);
        if let Some(place) = text.bytes.get_mut(..digits.len()) {
            place.copy_from_slice(digits);
            text.length = digits.len();
        }
        text
    }

    /// Any number, as both formats want it.
    pub(super) fn of_float(value: f64) -> Self {
        let mut text = Self::EMPTY;
        if value.is_nan() {
            text.put_all(b"NaN");
            return text;
        }
        if value.is_infinite() {
            text.put_all(if value > 0.0 { b"+Inf" } else { b"-Inf" });
            return text;
        }
        if value < 0.0 {
            text.put(b'-');
        }
        let size = if value < 0.0 { -value } else { value };
        let whole = size as u64;
        if size < WHOLE_MAX && whole as f64 == size {
            text.put_all(Self::of_count(whole).bytes());
        } else {
            text.put_float(size);
        }
        text
    }

    /// The same, where a number without a point would be another's: a bound in OpenMetrics.
    pub(super) fn of_bound(value: f64) -> Self {
        let mut text = Self::of_float(value);
        if text.bytes().iter().all(|byte| byte.is_ascii_digit() || *byte == b'-') {
            text.put_all(b".0");
        }
        text
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
            self.put_all(Self::of_count(u64::from((before - 1).unsigned_abs())).bytes());
        }
    }
}

/// The digits of the largest number.
const DIGITS_MAX: usize = 20;
/// Below this a number may be taken for a whole one: 2^53.
const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;
const FRACTION_BITS: u32 = 52;

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

    fn float(value: f64) -> String {
        String::from_utf8(Text::of_float(value).bytes().to_vec()).unwrap()
    }

    #[test]
    fn whole_numbers() {
        let cases = [0, 1, 9, 10, 11, 99, 100, 101, 999, 1000, 12_345, u64::MAX - 1, u64::MAX];
        let tens = (0..20).map(|power| 10_u64.pow(power)).flat_map(|ten| [ten - 1, ten, ten + 1]);
        for number in cases.into_iter().chain(tens) {
            assert_eq!(Text::of_count(number).bytes(), number.to_string().as_bytes());
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
        assert_eq!(Text::of_bound(1.0).bytes(), b"1.0");
        assert_eq!(Text::of_bound(0.25).bytes(), b"0.25");
        assert_eq!(Text::of_bound(-1e20).bytes(), b"-1e+20");
    }

    #[test]
    fn what_is_read_back_is_the_same() {
        let count = if cfg!(miri) { 200 } else { 2_000_000_u64 };
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
        for thousandths in 0..if cfg!(miri) { 100 } else { 300_000 } {
            let value = f64::from(thousandths) / 1000.0;
            assert_eq!(float(value), value.to_string());
        }
    }
}
