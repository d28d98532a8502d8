//! A problem as the JSON that is answered with (RFC 9457, section 3).

use super::Problem;
use crate::{json, out::Out};

impl Problem {
    /// Writes the problem document.
    pub(crate) fn write(&self, out: &mut Out<'_>) {
        let parts = self.parts();
        let status = self.status();
        let mut json = json::Writer::new(out);
        json.object().name("type").string("about:blank");
        #[cfg(feature = "problem-details")]
        json.name("title").string(crate::http::reason(status));
        json.name("status")
            .u64(status.into())
            .name("code")
            .string(parts.code);
        #[cfg(feature = "problem-details")]
        json.name("detail").quoted(|out| self.write_detail(out));
        if let Some(field) = self.field() {
            json.name("field").string(field.as_str());
        }
        if let Self::Json(offset, _) = self {
            json.name("offset").u64((*offset).into());
        }
        json.end_object();
    }

    /// Writes the sentence for people.
    #[cfg(feature = "problem-details")]
    fn write_detail(&self, out: &mut Out<'_>) {
        let detail = match self {
            Self::Http(refusal) => refusal.as_str(),
            _ => self.parts().detail,
        };
        json::write_escaped(out, detail.as_bytes());
        let why = match self {
            Self::Json(_, kind) => kind.as_str(),
            Self::Url(_, error) => error.as_str(),
            _ => return,
        };
        out.put(b": ");
        json::write_escaped(out, why.as_bytes());
        out.put(b".");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Field;
    use crate::http::Refusal;

    #[track_caller]
    fn check(problem: Problem, brief: &str, whole: &str) {
        let mut memory = [0; 512];
        let mut out = Out::new(&mut memory);
        problem.write(&mut out);
        let expect = if cfg!(feature = "problem-details") {
            whole
        } else {
            brief
        };
        assert_eq!(core::str::from_utf8(out.written()), Ok(expect));
    }

    #[test]
    fn a_document_says_to_programs_and_if_built_so_to_people_what_is_wrong() {
        check(
            Problem::NoSuchPath,
            r#"{"type":"about:blank","status":404,"code":"not_found"}"#,
            r#"{"type":"about:blank","title":"Not Found","status":404,"code":"not_found","detail":"There is nothing at this path."}"#,
        );
        check(
            Problem::Missing(Field::Reference),
            r#"{"type":"about:blank","status":422,"code":"invalid_request","field":"reference"}"#,
            r#"{"type":"about:blank","title":"Unprocessable Content","status":422,"code":"invalid_request","detail":"The member is missing.","field":"reference"}"#,
        );
        check(
            Problem::Json(7, json::ErrorKind::TooDeep),
            r#"{"type":"about:blank","status":400,"code":"invalid_json","offset":7}"#,
            r#"{"type":"about:blank","title":"Bad Request","status":400,"code":"invalid_json","detail":"The body is not JSON: arrays and objects are nested too deeply.","offset":7}"#,
        );
        check(
            Problem::Http(Refusal::BareLf),
            r#"{"type":"about:blank","status":400,"code":"bad_http"}"#,
            r#"{"type":"about:blank","title":"Bad Request","status":400,"code":"bad_http","detail":"An LF stands without its CR."}"#,
        );
    }
}
