//! Escape sequences of string and bytes literals.

/// The length of the escape sequence after a backslash, if it may stand between these quotes. What it may mean is
/// decided when the literal is complete.
pub(super) fn length(rest: &str, quote: char) -> Option<usize> {
    let first = rest.chars().next()?;
    match first {
        'a' | 'b' | 'f' | 'n' | 'r' | 't' | 'v' | '\\' => Some(1),
        _ if first == quote => Some(1),
        '0'..='7' => digits(rest, 3, 8),
        'x' => Some(1 + digits(&rest[1..], 2, 16)?),
        'u' if rest[1..].starts_with('{') => {
            let end = rest.find('}')?;
            let content = &rest[2..end];
            ((1..=6).contains(&content.len()) && digits(content, content.len(), 16).is_some()).then_some(end + 1)
        }
        'u' => Some(1 + digits(&rest[1..], 4, 16)?),
        'U' => Some(1 + digits(&rest[1..], 8, 16)?),
        _ => None,
    }
}

fn digits(text: &str, count: usize, radix: u32) -> Option<usize> {
    let digits = text.get(..count)?;
    digits.chars().all(|digit| digit.is_digit(radix)).then_some(count)
}

/// The text a literal stands for. Line ends are normalised first.
pub(super) fn text(content: &str) -> Option<String> {
    let mut out = String::with_capacity(content.len());
    each(content, |piece| {
        match piece {
            Piece::Char(c) => out.push(c),
            // Escapes are characters here, also those of a byte; a surrogate is none.
            Piece::Code(code) if code <= 0x10_FFFF => {
                out.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            Piece::Unicode(code) if code <= 0x10_FFFF => {
                out.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            Piece::Code(_) | Piece::Unicode(_) => return None,
        }
        Some(())
    })?;
    Some(out)
}

/// The bytes a literal stands for.
pub(super) fn bytes(content: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(content.len());
    each(content, |piece| {
        match piece {
            Piece::Char(c) => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            Piece::Code(code) => out.push(u8::try_from(code).ok()?),
            Piece::Unicode(_) => return None,
        }
        Some(())
    })?;
    Some(out)
}

enum Piece {
    Char(char),
    /// `\x41` or `\101`
    Code(u32),
    /// `\u0041`, `\u{41}` or `\U00000041`
    Unicode(u32),
}

fn each(content: &str, mut take: impl FnMut(Piece) -> Option<()>) -> Option<()> {
    let mut rest = content;
    while let Some(first) = rest.chars().next() {
        rest = &rest[first.len_utf8()..];
        match first {
            '\r' => {
                rest = rest.strip_prefix('\n').unwrap_or(rest);
                take(Piece::Char('\n'))?;
            }
            '\\' => take(escape(&mut rest)?)?,
            _ => take(Piece::Char(first))?,
        }
    }
    Some(())
}

fn escape(rest: &mut &str) -> Option<Piece> {
    let first = rest.chars().next()?;
    *rest = &rest[first.len_utf8()..];
    Some(match first {
        'a' => Piece::Char('\x07'),
        'b' => Piece::Char('\x08'),
        'f' => Piece::Char('\x0C'),
        'n' => Piece::Char('\n'),
        'r' => Piece::Char('\r'),
        't' => Piece::Char('\t'),
        'v' => Piece::Char('\x0B'),
        '\\' | '\'' | '"' => Piece::Char(first),
        'x' => Piece::Code(hex(rest, 2)?),
        'U' => Piece::Unicode(hex(rest, 8)?),
        'u' => match rest.strip_prefix('{').and_then(|braced| braced.split_once('}')) {
            Some((digits, after)) => {
                *rest = after;
                Piece::Unicode(u32::from_str_radix(digits, 16).ok()?)
            }
            None => Piece::Unicode(hex(rest, 4)?),
        },
        // Only three digits that fit into a byte.
        '0'..='3' => {
            let value = u32::from_str_radix(rest.get(..2)?, 8).ok()?;
            *rest = &rest[2..];
            Piece::Code((first as u32 - '0' as u32) * 64 + value)
        }
        _ => return None,
    })
}

fn hex(rest: &mut &str, count: usize) -> Option<u32> {
    let value = u32::from_str_radix(rest.get(..count)?, 16).ok();
    *rest = &rest[count..];
    value
}
