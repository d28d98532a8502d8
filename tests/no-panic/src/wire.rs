//! Gates to what reads and writes bytes: HTTP, JSON, signatures, URLs, addresses, dates, ids.

use core::hint::black_box;

use dubhook_core::{
    address::Cidr,
    http::{self, Method, RecvBuf, RequestHead, ResponseHead, Version},
    id::{Id, Prefix},
    json::{self, Value, Writer},
    language,
    out::Out,
    random::Random,
    signature::{self, Headers, MessageId, Secret},
    time::Timestamp,
    url::{self, Url},
};

use crate::{Gate, world::World};

pub(crate) const GATES: &[Gate] = &[
    output,
    time,
    random,
    ids,
    request,
    response,
    heads,
    http_dates,
    json_reading,
    json_writing,
    signing,
    verifying,
    secrets,
    urls,
    addresses,
    languages,
];

fn output(world: &mut World<'_>) {
    let mut out = Out::new(world.room);
    out.put(world.bytes);
    out.put_byte(world.byte);
    out.put_u64(world.number);
    out.put_padded(world.number, world.size);
    out.rewind(world.size);
    black_box(out.written_mut(world.size).len());
    black_box(out.finish().is_ok());
}

fn time(world: &mut World<'_>) {
    let point = Timestamp::from_unix_ms(world.number).after_ms(world.number);
    point.write_rfc3339(&mut Out::new(world.room));
    black_box(Timestamp::parse_rfc3339(world.bytes));
    black_box(world.now.instant.after_ms(world.number));
}

fn random(world: &mut World<'_>) {
    let mut random = Random::new(world.seed);
    black_box(random.bytes());
    black_box(random.u64());
    black_box(random.below(world.number));
}

fn ids(world: &mut World<'_>) {
    let mut random = Random::new(world.seed);
    let id = Id::new(world.timestamp, world.ix, &mut random);
    id.write(Prefix::Job, &mut Out::new(world.room));
    black_box(id.text(Prefix::Event).len());
    black_box(id.event(world.number as u32, world.timestamp));
    black_box(Id::parse(Prefix::Endpoint, world.text));
}

fn request(world: &mut World<'_>) {
    let mut buf = RecvBuf::resume(world.bytes, world.size..world.number as usize);
    buf.room().fill(world.byte);
    buf.commit(world.size);
    let _ = black_box(world.request.advance(&world.http_limits, &mut buf));
    if let Some(request) = world.request.request(buf.filled()) {
        black_box(request.path.len());
        black_box(request.fields.get(world.text));
        black_box(request.fields.get_unique(world.text).is_ok());
        for field in request.fields.iter() {
            black_box(field);
        }
    }
    black_box(world.request.head(buf.filled()).is_some());
    black_box(world.request.is_idle());
    black_box(world.request.phase());
    world.request.finish(&mut buf);
    buf.discard_front(world.size);
}

fn response(world: &mut World<'_>) {
    let mut buf = RecvBuf::resume(world.bytes, world.size..world.number as usize);
    let _ = black_box(world.response.advance(&world.http_limits, &mut buf));
    let _ = black_box(world.response.eof());
    if let Some(response) = world.response.response(buf.filled()) {
        black_box(response.status);
        black_box(response.fields.get(world.text));
    }
    black_box(world.response.phase());
    world.response.finish(Method::Get, &mut buf);
}

fn heads(world: &mut World<'_>) {
    let mut out = Out::new(world.room);
    let head = RequestHead::new(&mut out, Method::Post, world.text, world.text)
        .field(world.text, world.bytes);
    let _ = black_box(head.finish_with_length(world.size));
    let _ = black_box(RequestHead::new(&mut out, Method::Get, world.text, world.text).finish());
    let head = ResponseHead::new(&mut out, world.number as u16)
        .field(world.text, world.bytes)
        .number(world.text, world.number)
        .date(world.timestamp)
        .connection(world.flag, Version::V11);
    if let Ok(later) = head.finish_with_length_later() {
        later.fill_in(&mut out);
    }
    let head = ResponseHead::new(&mut out, world.number as u16);
    let _ = black_box(head.finish_with_length(world.size));
    let head = ResponseHead::new(&mut out, world.number as u16);
    let _ = black_box(head.finish_without_length());
}

fn http_dates(world: &mut World<'_>) {
    black_box(http::parse_date(world.bytes, world.timestamp));
    black_box(http::retry_after(world.bytes, world.timestamp));
    black_box(http::render_date(world.timestamp));
}

fn json_reading(world: &mut World<'_>) {
    let _ = black_box(json::validate(world.bytes));
    if let Ok(Value::Array(array)) = json::value(world.bytes) {
        for item in array.items() {
            black_box(&item);
        }
    }
    let Ok(object) = json::object(world.bytes) else {
        return;
    };
    let Ok([a, b, c]) = object.fields([world.text, "b", "c"]) else {
        return;
    };
    for member in object.members() {
        black_box(&member);
    }
    if let (Some(Value::Number(a)), Some(Value::String(b))) = (a, b) {
        let _ = black_box(a.as_u64());
        black_box(b.decoded_len());
        black_box(b == *world.text);
        black_box(b.decode_into(world.room).is_some());
    }
    if let Some(Value::Object(c)) = c {
        black_box(c.get(world.text).is_ok());
    }
}

fn json_writing(world: &mut World<'_>) {
    let mut out = Out::new(world.room);
    json::write_str(&mut out, world.text);
    json::write_escaped(&mut out, world.bytes);
    Writer::new(&mut out)
        .object()
        .name("a")
        .string_or_null(Some(world.text))
        .name("b")
        .array()
        .u64(world.number)
        .bool(world.flag)
        .null()
        .quoted(|out| out.put(world.bytes))
        .end_array()
        .end_object();
}

fn signing(world: &mut World<'_>) {
    let Some(id) = MessageId::new(world.text.as_bytes()) else {
        return;
    };
    let signatures = [
        world.key.sign(id, world.number, world.bytes),
        world
            .secret
            .signing_key()
            .sign(id, world.number, world.bytes),
    ];
    signature::write_header(&mut Out::new(world.room), signatures);
}

fn verifying(world: &mut World<'_>) {
    let name = world.text.as_bytes();
    let fields = [(name, &*world.bytes), (&*world.bytes, name), (name, name)];
    if let Ok(headers) = Headers::from_fields(fields) {
        let keys = [&world.key];
        let verified =
            signature::verify(&headers, world.bytes, keys, world.timestamp, world.number);
        black_box(verified.is_ok());
    }
}

fn secrets(world: &mut World<'_>) {
    if let Ok(secret) = Secret::parse(world.text) {
        secret.write_text(&mut Out::new(world.room));
    }
    black_box(Secret::from_bytes(world.bytes).is_ok());
    black_box(Secret::from_random(world.seed).bytes().len());
}

fn urls(world: &mut World<'_>) {
    black_box(url::is_absolute_uri(world.text));
    if let Ok(url) = Url::parse(world.text, world.size) {
        let mut out = Out::new(world.room);
        url.write_target(&mut out);
        url.write_host(&mut out);
        url.write_origin(&mut out);
        black_box(url.same_origin(&url));
        black_box(world.config.guard.permits_url(&url));
    }
}

fn addresses(world: &mut World<'_>) {
    if let Ok(network) = Cidr::parse(world.text) {
        let address = core::net::IpAddr::from(world.wide.to_be_bytes());
        black_box(network.contains(address));
        black_box(dubhook_core::address::classify(address));
        black_box(world.config.guard.permits(address, world.number as u16));
        if let Ok(url) = Url::parse(world.text, world.size) {
            black_box(world.config.guard.permits_answers(&url, [address]));
        }
    }
}

fn languages(world: &mut World<'_>) {
    black_box(language::is_well_formed(world.text));
}
