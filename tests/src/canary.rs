//! A search for secrets in what a process wrote, in every form that code is likely to give them.
//!
//! A secret that leaks is seldom written as it is: a header is printed as a list of bytes, a URL is
//! percent-encoded, credentials are base64 with something in front. One list for all suites, so that
//! none looks for less than another.

/// The standard alphabet of base64 (RFC 4648, section 4); the other differs in the last two.
const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Every form of `secret` that `text` has in it.
pub fn found(secret: &str, text: &str) -> Vec<String> {
    forms(secret).into_iter().filter(|form| text.contains(form)).collect()
}

fn forms(secret: &str) -> Vec<String> {
    let bytes = secret.as_bytes();
    let each = |form: fn(&u8) -> String| bytes.iter().map(form);
    let mut forms = vec![
        secret.to_owned(),
        each(|byte| format!("{byte:02x}")).collect(),
        each(|byte| format!("{byte:02X}")).collect(),
        each(|byte| format!("%{byte:02X}")).collect(),
        each(percent).collect(),
        each(percent).collect::<String>().to_lowercase(),
    ];
    for separator in [", ", ","] {
        forms.push(each(u8::to_string).collect::<Vec<_>>().join(separator));
    }
    for before in 0..3 {
        let encoded = base64(bytes, before);
        forms.push(encoded.replace('+', "-").replace('/', "_"));
        forms.push(encoded);
    }
    // Where nothing is to be encoded, several are one.
    forms.sort();
    forms.dedup();
    forms
}

/// As in a query: what is not unreserved (RFC 3986, section 2.3) is encoded.
fn percent(byte: &u8) -> String {
    if byte.is_ascii_alphanumeric() || b"-._~".contains(byte) {
        char::from(*byte).to_string()
    } else {
        format!("%{byte:02X}")
    }
}

/// The characters that stand for these bytes alone, where so many others are before them.
fn base64(bytes: &[u8], before: usize) -> String {
    let bits = bytes.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1));
    // Of the first character, some bits may be of what is before.
    let skipped = (6 - before * 8 % 6) % 6;
    let bits: Vec<u8> = bits.skip(skipped).collect();
    let index = |six: &[u8]| six.iter().fold(0, |index, bit| index << 1 | usize::from(*bit));
    bits.chunks_exact(6).map(|six| char::from(BASE64[index(six)])).collect()
}
