//! The config key `nodes`: cluster nodes as DNS record sets.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::rc::Rc;
use std::sync::Arc;

use crate::model::{DeclaredResource, FieldName, ResourceKey, Unit, Value};

use super::context::{ConfigContent, Entry, Filled, ParseContext};
use super::entries::is_written;
use super::fields::{self, Field, FieldMap};
use super::naming::UsedNames;
use super::problem::Place;
use super::redact::quoted;
use super::scalar::{self, Fault};
use super::stack::{StackFile, needed};
use super::yaml::{self, Content, Node};

/// The keys of a node: the seed's three, and ours.
pub(super) const KEYS: [&str; 6] = ["name", "ips", "domain", "exclusive", "ttl", "proxied"];
/// Seconds; the seed's five minutes.
pub(super) const TTL_DEFAULT: i64 = 300;
/// Seconds; 1 means automatic (Cloudflare OpenAPI `dns-records_ttl`).
pub(super) const TTL_AUTOMATIC: i64 = 1;
/// Seconds.
pub(super) const TTL_MIN: i64 = 60;
/// Seconds.
pub(super) const TTL_MAX: i64 = 86_400;
/// What problems of nodes given by the environment are said of.
const OVERRIDE: &str = "KEDGE_CONFIG_NODES";

/// Who has a node's name and its domain.
#[derive(Default)]
struct Claims<'a> {
    names: UsedNames<'a>,
    domains: UsedNames<'a>,
}

/// Reads all nodes.
pub(super) fn read<'a>(context: &mut ParseContext<'a>, found: &StackFile) -> Vec<DeclaredResource> {
    context.used.insert("nodes".to_owned());
    let Some(value) = context.config.get("nodes").cloned() else {
        return Vec::new();
    };
    let file = value.place.map_or(OVERRIDE, |place| place.file);
    let text;
    let node = match value.content {
        ConfigContent::Tree(node) => node,
        ConfigContent::Encrypted => {
            if let Some(place) = value.place {
                context.encrypted(place, "nodes");
            }
            return Vec::new();
        }
        ConfigContent::Text(written) => {
            text = written;
            match yaml::read(&text) {
                Ok(node) if value.place.is_none() => Rc::new(node),
                _ => {
                    let place = value.place.unwrap_or(Place {
                        file,
                        pos: yaml::Pos::START,
                    });
                    let hint = "write a list of nodes with name, ips and domain";
                    context.report.hinted(place, "`nodes` must be a list", hint);
                    return Vec::new();
                }
            }
        }
    };
    let items = context.items(file, &node, "nodes");
    if items.is_empty() {
        return Vec::new();
    }
    let zone = needed(
        context,
        found,
        "cloudflare_zone_id",
        "the stack's nodes are records of a DNS zone",
    );
    let mut claims = Claims::default();
    items
        .iter()
        .flat_map(|item| one(context, file, item, &zone, &mut claims))
        .collect()
}

fn one<'a>(
    context: &mut ParseContext<'a>,
    file: &'a str,
    node: &Node,
    zone: &str,
    claims: &mut Claims<'a>,
) -> Vec<DeclaredResource> {
    let entries = known_keys(context, file, node);
    let get = |key: &str| entries.iter().find(|entry| entry.key == key);
    if let Some(entry) = get("name")
        && let Filled::Text(name) = context.text(file, "name", entry.value)
    {
        let place = Place {
            file,
            pos: entry.value.pos,
        };
        claim(context, &mut claims.names, &name, place, "node name");
    }
    let exclusive = flag(context, file, get("exclusive")).is_some_and(|(flag, _)| flag);
    let proxied = flag(context, file, get("proxied"));
    let ttl = get("ttl").and_then(|entry| ttl(context, file, entry));
    let is_proxied = proxied.is_some_and(|(flag, _)| flag);
    let domain = get("domain").and_then(|entry| domain(context, file, entry));
    let (four, six) = get("ips").map_or_else(Default::default, |entry| {
        addresses(context, file, entry, is_proxied)
    });
    let (Some((domain, place)), Some(ips)) = (domain, get("ips")) else {
        return Vec::new();
    };
    if !claim(context, &mut claims.domains, &domain, place, "domain") {
        return Vec::new();
    }
    let node = Place {
        file,
        pos: node.pos,
    };
    let mut shared = FieldMap::new();
    if !is_proxied {
        // While proxied the provider forces 1, so there is nothing to declare (semantics 2.2).
        let ttl = ttl.map(|(seconds, place)| (Value::Int(seconds), place));
        shared.insert(
            FieldName::known("ttl"),
            own_or(ttl, Value::Int(TTL_DEFAULT), node),
        );
    }
    let proxied = proxied.map(|(flag, place)| (Value::Bool(flag), place));
    shared.insert(
        FieldName::known("proxied"),
        own_or(proxied, Value::Bool(false), node),
    );
    let at = Place {
        file,
        pos: ips.key_pos,
    };
    let asked = std::mem::take(&mut context.asked);
    [("A", four), ("AAAA", six)]
        .into_iter()
        .filter(|(_, set)| !set.is_empty())
        .map(|(kind, set)| {
            let mut fields = shared.clone();
            fields.insert(FieldName::known("addresses"), own(Value::Set(set), at));
            let key = ResourceKey::dns_record_set(zone, &domain, kind);
            let mut resource = fields::resource(context, key, place, fields);
            resource.exclusive = exclusive;
            resource.config_keys.extend(asked.iter().cloned());
            resource
        })
        .collect()
}

/// A node's entries; reports what is unknown or missing.
fn known_keys<'n, 't>(
    context: &mut ParseContext<'_>,
    file: &str,
    node: &'n Node<'t>,
) -> Vec<Entry<'n, 't>> {
    let entries = context.entries(file, node, "a node");
    for entry in entries.iter().filter(|entry| !KEYS.contains(&entry.key)) {
        context.unknown_key(file, entry, KEYS);
    }
    if matches!(node.content, Content::Map(_)) {
        for key in ["name", "ips", "domain"] {
            if !is_written(node, key) {
                let place = Place {
                    file,
                    pos: node.pos,
                };
                let message = format!("this node has no `{key}`");
                let hint = match key {
                    "ips" => "add `ips: [\"203.0.113.1\"]`, with its addresses",
                    "domain" => "add `domain:`, its name in the zone, such as `1.clustera.io`",
                    _ => "add `name:`",
                };
                context.report.hinted(place, message, hint);
            }
        }
    }
    entries
}

fn own(value: Value, place: Place<'_>) -> Field<'_> {
    Field {
        value,
        place,
        is_default: false,
        secret: None,
    }
}

fn own_or<'a>(written: Option<(Value, Place<'a>)>, default: Value, node: Place<'a>) -> Field<'a> {
    match written {
        Some((value, place)) => own(value, place),
        None => Field {
            is_default: true,
            ..own(default, node)
        },
    }
}

fn claim<'a>(
    context: &mut ParseContext<'_>,
    taken: &mut UsedNames<'a>,
    text: &str,
    place: Place<'a>,
    what: &str,
) -> bool {
    let Some(earlier) = taken.take(&Arc::from(text), place) else {
        return true;
    };
    let message = format!("duplicate {what} {}", quoted(text));
    let hint = match what {
        "node name" => "rename one",
        _ => "put their ips together",
    };
    context
        .report
        .hinted(place, message, format!("the first is at {earlier}; {hint}"));
    false
}

fn flag<'a>(
    context: &mut ParseContext<'a>,
    file: &'a str,
    entry: Option<&Entry<'_, '_>>,
) -> Option<(bool, Place<'a>)> {
    let entry = entry?;
    let Filled::Text(text) = context.text(file, entry.key, entry.value) else {
        return None;
    };
    let place = Place {
        file,
        pos: entry.value.pos,
    };
    let flag = context.ok(place, scalar::boolean(entry.key, &text))?;
    Some((flag, place))
}

fn ttl<'a>(
    context: &mut ParseContext<'a>,
    file: &'a str,
    entry: &Entry<'_, '_>,
) -> Option<(i64, Place<'a>)> {
    let Filled::Text(text) = context.text(file, "ttl", entry.value) else {
        return None;
    };
    let place = Place {
        file,
        pos: entry.value.pos,
    };
    let range =
        format!("it must be {TTL_MIN} to {TTL_MAX} seconds, or {TTL_AUTOMATIC} for automatic");
    let result = match scalar::int("ttl", &text, Unit::Seconds, TTL_AUTOMATIC, TTL_MAX) {
        Ok(number) if number == TTL_AUTOMATIC || number >= TTL_MIN => Ok(number),
        Err(fault) if !scalar::is_number(&text) => Err(fault),
        _ => Err(Fault {
            message: scalar::cannot_be("ttl", &text),
            hint: range,
        }),
    };
    let number = context.ok(place, result)?;
    Some((number, place))
}

fn domain<'a>(
    context: &mut ParseContext<'a>,
    file: &'a str,
    entry: &Entry<'_, '_>,
) -> Option<(String, Place<'a>)> {
    let Filled::Text(text) = context.text(file, "domain", entry.value) else {
        return None;
    };
    let place = Place {
        file,
        pos: entry.value.pos,
    };
    let domain = context.ok(place, fqdn(&text))?;
    Some((domain, place))
}

/// A full domain name in lower case without a final dot.
fn fqdn(text: &str) -> Result<String, Fault> {
    let fail = |hint: &str| {
        Err(Fault {
            message: format!("{} is not a full domain name", quoted(text)),
            hint: hint.to_owned(),
        })
    };
    let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
    if !name.is_ascii() {
        return fail("write the Punycode form (`xn--…`), which is what DNS holds");
    }
    if name.len() > 253 {
        return fail("a name has at most 253 characters");
    }
    let labels: Vec<&str> = name.split('.').collect();
    if name.parse::<IpAddr>().is_ok() {
        return fail("write the node's name in the zone, and its address under `ips:`");
    }
    if labels.len() < 2 {
        return fail("write it whole, with its zone, such as `1.clustera.io`");
    }
    if let Some((_, rest)) = name.split_once("://") {
        let host = rest.split(['/', ':']).next().unwrap_or_default();
        if host.split('.').all(|label| !label.is_empty()) && host.contains('.') {
            return fail(&format!("write {} alone", quoted(host)));
        }
    }
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    };
    let mut parts = labels.iter().enumerate();
    if !parts.all(|(at, label)| is_label(label) || (at == 0 && *label == "*")) {
        return fail("each part has 1 to 63 letters, digits, dashes, and no dash at its ends");
    }
    Ok(name)
}

type Families = (BTreeSet<String>, BTreeSet<String>);

/// The addresses by family, in canonical text.
fn addresses(
    context: &mut ParseContext<'_>,
    file: &str,
    entry: &Entry<'_, '_>,
    proxied: bool,
) -> Families {
    let mut found = Families::default();
    let items = context.items(file, entry.value, "ips");
    if items.is_empty() && matches!(entry.value.content, Content::List(_)) {
        let place = Place {
            file,
            pos: entry.value.pos,
        };
        context.report.hinted(
            place,
            "a node needs at least one address",
            "add one, or remove the node to withdraw its records",
        );
    }
    for item in items {
        let Filled::Text(text) = context.item_text(file, "ips", item) else {
            continue;
        };
        let place = Place {
            file,
            pos: item.pos,
        };
        let Some(ip) = context.ok(place, address(&text, proxied)) else {
            continue;
        };
        let set = match ip {
            IpAddr::V4(_) => &mut found.0,
            IpAddr::V6(_) => &mut found.1,
        };
        if !set.insert(ip.to_string()) {
            context.report.hinted(
                place,
                format!("duplicate address {}", quoted(&text)),
                format!("remove it: {ip} is there already"),
            );
        }
    }
    found
}

fn address(text: &str, proxied: bool) -> Result<IpAddr, Fault> {
    let Ok(ip) = text.parse::<IpAddr>() else {
        return Err(Fault {
            message: format!("{} is not an IP address", quoted(text)),
            hint: match address_within(text) {
                Some(ip) => format!("write \"{ip}\" alone"),
                None => "write an address such as 203.0.113.1 or 2001:db8::1".to_owned(),
            },
        });
    };
    let private = match ip {
        IpAddr::V4(ip) => is_private_v4(ip),
        IpAddr::V6(ip) => ip.to_ipv4_mapped().is_some_and(is_private_v4) || is_private_v6(ip),
    };
    if proxied && private {
        return Err(Fault {
            message: format!("{} can't be reached from outside", quoted(text)),
            hint: "write a public address, or `proxied: false`: Cloudflare's proxy can't reach it"
                .to_owned(),
        });
    }
    Ok(ip)
}

/// The address in a URL, or with a port or a length behind it.
fn address_within(text: &str) -> Option<IpAddr> {
    let (host, tail) = match text.split_once("://") {
        Some((_, rest)) => (rest.split('/').next()?, ""),
        None => text.split_once('/').unwrap_or((text, "")),
    };
    // A network of more than one address is none.
    if !matches!(tail, "" | "32" | "128") {
        return None;
    }
    let port = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let alone = match host.rsplit_once(':') {
        Some((ip, rest)) if port(rest) && (!ip.contains(':') || ip.ends_with(']')) => ip,
        _ => host,
    };
    alone.trim_matches(['[', ']']).parse().ok()
}

fn is_private_v4(ip: Ipv4Addr) -> bool {
    ip.is_private()
        || ip.is_loopback()
        || ip.is_unspecified()
        || ip.is_link_local()
        || ip.is_broadcast()
        || ip.is_multicast()
}

fn is_private_v6(ip: Ipv6Addr) -> bool {
    ip.is_loopback()
        || ip.is_unspecified()
        || ip.is_multicast()
        || ip.is_unique_local()
        || ip.is_unicast_link_local()
}

#[cfg(test)]
mod tests {
    use super::super::context::variable;
    use super::*;

    #[test]
    fn the_override_has_its_variables_name() {
        assert_eq!(variable("nodes"), OVERRIDE);
    }

    #[test]
    fn domains() {
        for (text, want) in [
            ("1.clustera.io", Some("1.clustera.io")),
            ("A.Clustera.IO.", Some("a.clustera.io")),
            ("*.clustera.io", Some("*.clustera.io")),
            ("_x.clustera.io", Some("_x.clustera.io")),
            ("clustera", None),
            ("a..b", None),
            ("-a.b", None),
            ("a.*.b", None),
            ("1.2.3.4", None),
            ("ä.io", None),
            ("", None),
            (".", None),
        ] {
            assert_eq!(fqdn(text).ok().as_deref(), want, "{text}");
        }
    }

    #[test]
    fn ip_addresses() {
        for (text, open, proxied) in [
            ("203.0.113.1", true, true),
            ("2001:DB8:0:0::1", true, true),
            ("10.0.0.1", true, false),
            ("127.0.0.1", true, false),
            ("0.0.0.0", true, false),
            ("fd00::1", true, false),
            ("::1", true, false),
            ("203.0.113.01", false, false),
            ("203.0.113", false, false),
            ("2001:db8::/32", false, false),
            ("", false, false),
        ] {
            assert_eq!(address(text, false).is_ok(), open, "{text}");
            assert_eq!(address(text, true).is_ok(), proxied, "{text} proxied");
        }
        assert_eq!(
            address("2001:DB8:0:0::1", false).unwrap().to_string(),
            "2001:db8::1"
        );
    }
}
