//! The SQL of tests, put into SQLite's words.
//!
//! A test's SQL keeps to what both databases understand, and to these idioms of PostgreSQL:
//! `now()`; a time, which is `now()` or the name of a column, plus or minus `interval '90 seconds'`;
//! `extract(epoch from a - b)` of two such times; `::text`; and the literals `'…'::bytea`, `'\x00'::bytea` and
//! `'…'::uuid`. Nothing else is translated, and an idiom within a quoted text is not told from a real one.

/// How the file holds a time; SQLite knows milliseconds, the file microseconds.
const FORMAT: &str = "%Y-%m-%dT%H:%M:%f000Z";

/// What SQLite is to be asked instead; `now` is the present as the file holds it (`2026-11-20T12:00:00.000000Z`):
/// SQLite's own clock would be up to a millisecond behind what the store has just written.
pub(crate) fn sqlite(sql: &str, now: &str) -> String {
    let sql = replace_spans_between(sql);
    let sql = replace_intervals(&sql);
    let sql = replace_literals(&sql, "::uuid", |text| format!("x'{}'", text.replace('-', "")));
    let sql = replace_literals(&sql, "::bytea", |text| match text.strip_prefix(r"\x") {
        Some(digits) => format!("x'{digits}'"),
        None => format!("cast('{text}' as blob)"),
    });
    sql.replace("now()", &format!("'{now}'")).replace("::text", "")
}

fn replace_spans_between(sql: &str) -> String {
    replace_each(sql, "extract(epoch from ", |before, after| {
        let (left, after) = after.split_once(" - ").expect("the difference of two times");
        let right = &after[..operand_length(after)];
        let after = after[right.len()..].strip_prefix(')').expect("the end of the difference");
        let seconds = |time: &str| format!("unixepoch(substr({time}, 1, 19)) + substr({time}, 20, 7)");
        (format!("{before}({} - ({}))", seconds(left), seconds(right)), after)
    })
}

fn replace_intervals(sql: &str) -> String {
    replace_each(sql, " interval '", |before, after| {
        let (span, after) = after.split_once('\'').expect("the end of the interval");
        let (before, sign) = before.split_at(before.len() - 1);
        let time = &before[operand_start(before.trim_end())..];
        let before = &before[..before.len() - time.len()];
        (format!("{before}strftime('{FORMAT}', {}, '{sign}{span}')", time.trim_end()), after)
    })
}

/// Literals with a cast behind them.
fn replace_literals(sql: &str, cast: &str, literal: impl Fn(&str) -> String) -> String {
    replace_each(sql, &format!("'{cast}"), |before, after| {
        let (before, text) = before.rsplit_once('\'').expect("the beginning of the literal");
        (format!("{before}{}", literal(text)), after)
    })
}

/// Replaces every place with a marker in it: `replacement` is given what stands before and behind the marker, and gives
/// the new text up to somewhere behind it, and what follows there.
fn replace_each(
    sql: &str,
    marker: &str,
    replacement: impl for<'sql> Fn(&str, &'sql str) -> (String, &'sql str),
) -> String {
    let (mut done, mut rest) = (String::new(), sql);
    while let Some((before, after)) = rest.split_once(marker) {
        (done, rest) = replacement(&format!("{done}{before}"), after);
    }
    done + rest
}

/// The length of the time that a text begins with.
fn operand_length(text: &str) -> usize {
    if text.starts_with("now()") {
        "now()".len()
    } else {
        text.find(|letter| !is_of_name(letter)).unwrap_or(text.len())
    }
}

/// Where the time begins that a text ends with.
fn operand_start(text: &str) -> usize {
    let name = text.strip_suffix("()").unwrap_or(text);
    name.rfind(|letter| !is_of_name(letter)).map_or(0, |before| before + 1)
}

fn is_of_name(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_' || letter == '.'
}

#[cfg(test)]
mod tests {
    use super::sqlite;

    const NOW: &str = "2026-11-20T12:00:00.123456Z";

    #[test]
    fn every_idiom_is_translated_wherever_it_stands() {
        for (of_both, of_sqlite) in [
            ("select 1 from character where attempt = 'x'", "select 1 from character where attempt = 'x'"),
            (
                "update t set a = now(), b = now() where c <= now()",
                "update t set a = '2026-11-20T12:00:00.123456Z', b = '2026-11-20T12:00:00.123456Z' \
                 where c <= '2026-11-20T12:00:00.123456Z'",
            ),
            (
                "values (1, now() - interval '1 minute'), (2, now() + interval '6 days')",
                "values (1, strftime('%Y-%m-%dT%H:%M:%f000Z', '2026-11-20T12:00:00.123456Z', '-1 minute')), \
                 (2, strftime('%Y-%m-%dT%H:%M:%f000Z', '2026-11-20T12:00:00.123456Z', '+6 days'))",
            ),
            (
                "set due_at = r.due_at - interval '61 seconds' where a",
                "set due_at = strftime('%Y-%m-%dT%H:%M:%f000Z', r.due_at, '-61 seconds') where a",
            ),
            (
                "select min(extract(epoch from a - now())) as b",
                "select min((unixepoch(substr(a, 1, 19)) + substr(a, 20, 7) - \
                 (unixepoch(substr('2026-11-20T12:00:00.123456Z', 1, 19)) + \
                 substr('2026-11-20T12:00:00.123456Z', 20, 7)))) as b",
            ),
            ("select body::text, id from t", "select body, id from t"),
            (r"set a = 'x', b = '\x00ff'::bytea, c = 'y'::bytea", "set a = 'x', b = x'00ff', c = cast('y' as blob)"),
            ("set a = '00000000-0000-0000-0000-000000000001'::uuid", "set a = x'00000000000000000000000000000001'"),
        ] {
            assert_eq!(sqlite(of_both, NOW), of_sqlite, "{of_both}");
        }
    }
}
