//! Powers, to the last bit as Go computes them.

/// `x` to the power of `y`. Whole exponents are multiplied out, in this order of operations.
pub(in crate::expr) fn pow(x: f64, y: f64) -> f64 {
    if y == 0.0 || x == 1.0 {
        return 1.0;
    }
    if y == 1.0 {
        return x;
    }
    if x == 0.0 || x.is_nan() || y.is_nan() || x.is_infinite() || y.is_infinite() {
        // No rounding is involved, so every implementation agrees.
        return x.powf(y);
    }
    if y == 0.5 {
        return x.sqrt();
    }
    if y == -0.5 {
        return 1.0 / x.sqrt();
    }
    let (mut whole, mut fraction) = (y.abs().trunc(), y.abs().fract());
    if fraction != 0.0 && x < 0.0 {
        return f64::NAN;
    }
    if whole >= 2_f64.powi(63) {
        return if x == -1.0 {
            1.0
        } else if (x.abs() < 1.0) == (y > 0.0) {
            0.0
        } else {
            f64::INFINITY
        };
    }
    let (mut result, mut exponent) = (1.0, 0_i64);
    if fraction != 0.0 {
        if fraction > 0.5 {
            fraction -= 1.0;
            whole += 1.0;
        }
        result = exp(fraction * ln(x));
    }
    let (mut square, mut square_exponent) = split(x);
    let mut bits = whole as i64;
    while bits != 0 {
        if !(-(1 << 12)..=1 << 12).contains(&square_exponent) {
            // Overflow or underflow is certain.
            exponent += square_exponent;
            break;
        }
        if bits & 1 == 1 {
            result *= square;
            exponent += square_exponent;
        }
        square *= square;
        square_exponent <<= 1;
        if square < 0.5 {
            square += square;
            square_exponent -= 1;
        }
        bits >>= 1;
    }
    if y < 0.0 {
        result = 1.0 / result;
        exponent = -exponent;
    }
    scale(result, exponent)
}

/// The natural logarithm, by the series that the C libraries of the BSDs use.
fn ln(x: f64) -> f64 {
    const LN2_HIGH: f64 = f64::from_bits(0x3FE6_2E42_FEE0_0000);
    const LN2_LOW: f64 = f64::from_bits(0x3DEA_39EF_3579_3C76);
    const SERIES: [f64; 7] = [
        f64::from_bits(0x3FE5_5555_5555_5593),
        f64::from_bits(0x3FD9_9999_9997_FA04),
        f64::from_bits(0x3FD2_4924_9422_9359),
        f64::from_bits(0x3FCC_71C5_1D8E_78AF),
        f64::from_bits(0x3FC7_4664_96CB_03DE),
        f64::from_bits(0x3FC3_9A09_D078_C69F),
        f64::from_bits(0x3FC2_F112_DF3E_5244),
    ];
    let (mut fraction, mut power) = split(x);
    if fraction < std::f64::consts::FRAC_1_SQRT_2 {
        fraction *= 2.0;
        power -= 1;
    }
    let (f, k) = (fraction - 1.0, power as f64);
    let s = f / (2.0 + f);
    let (square, fourth) = (s * s, s * s * (s * s));
    let odd = square * (SERIES[0] + fourth * (SERIES[2] + fourth * (SERIES[4] + fourth * SERIES[6])));
    let even = fourth * (SERIES[1] + fourth * (SERIES[3] + fourth * SERIES[5]));
    let half = 0.5 * f * f;
    k * LN2_HIGH - ((half - (s * (half + (odd + even)) + k * LN2_LOW)) - f)
}

/// The exponential function by the Taylor series of a sixteenth, as Go has it for processors that multiply and add
/// in one step.
fn exp(x: f64) -> f64 {
    const LN2_UPPER: f64 = 0.693_147_180_559_662_956_511_601_805_686_950_683_593_75;
    const LN2_LOWER: f64 = 0.282_352_905_630_315_771_225_884_481_750_134_360_255_254_120_68e-12;
    let power = (x * std::f64::consts::LOG2_E).round_ties_even();
    let rest = (-power).mul_add(LN2_LOWER, (-power).mul_add(LN2_UPPER, x)) * 0.0625;
    let factorials = [5_040.0, 720.0, 120.0, 24.0, 6.0, 2.0, 1.0];
    let series = factorials.into_iter().fold(1.0 / 40_320.0, |sum: f64, factorial| sum.mul_add(rest, 1.0 / factorial));
    let mut less_one = rest * series;
    for _ in 0..3 {
        less_one *= less_one + 2.0;
    }
    scale(less_one.mul_add(less_one + 2.0, 1.0), power as i64)
}

/// A number as a fraction between a half and one, and a power of two.
fn split(x: f64) -> (f64, i64) {
    let (x, shift) = if x.abs() < f64::MIN_POSITIVE { (x * 4_503_599_627_370_496.0, -52) } else { (x, 0) };
    let bits = x.to_bits();
    let exponent = ((bits >> 52) & 0x7FF) as i64 - 1022;
    (f64::from_bits(bits & !(0x7FF << 52) | 1022 << 52), exponent + shift)
}

/// A number times a power of two, rounded once.
fn scale(x: f64, power: i64) -> f64 {
    if x == 0.0 || x.is_nan() || x.is_infinite() {
        return x;
    }
    let (fraction, exponent) = split(x);
    let power = power + exponent;
    match power {
        ..-1075 => 0.0_f64.copysign(x),
        1025.. => f64::INFINITY.copysign(x),
        -1075..-1021 => fraction * two_to(power + 60) * two_to(-60),
        _ => fraction * 2.0 * two_to(power - 1),
    }
}

fn two_to(power: i64) -> f64 {
    f64::from_bits(((power + 1023) as u64) << 52)
}
