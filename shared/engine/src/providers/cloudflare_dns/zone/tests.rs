use super::*;

fn records(json: &str) -> Vec<WireRecord> {
    serde_json::from_str(json).unwrap()
}

fn key(name: &str) -> ResourceKey {
    ResourceKey::dns_record_set("z", name, "A")
}

fn known(name: &str) -> ZoneRead {
    let name = Loose::Text(name.to_owned());
    let zone = WireZone {
        name,
        ..WireZone::default()
    };
    ZoneRead::of(&zone)
}

#[test]
fn names_inside_and_outside_a_zone() {
    for (name, zone, is_in) in [
        ("clustera.io", "clustera.io", true),
        ("clustera.io", "Clustera.IO.", true),
        ("1.clustera.io", "clustera.io", true),
        ("a.b.clustera.io", "clustera.io", true),
        ("*.clustera.io", "clustera.io", true),
        ("xn--mller-kva.clustera.io", "clustera.io", true),
        ("api.clustera.oi", "clustera.io", false),
        ("notclustera.io", "clustera.io", false),
        ("1.notclustera.io", "clustera.io", false),
        ("not-clustera.io", "clustera.io", false),
        ("clustera.io.example", "clustera.io", false),
        ("io", "clustera.io", false),
        ("clustera.io", "dev.clustera.io", false),
        ("1.clustera.io", "dev.clustera.io", false),
        ("1.clustera", "clustera.io", false),
    ] {
        let obstacle = Names::default().obstacle(&key(name), &known(zone));
        assert_eq!(obstacle.is_none(), is_in, "{name} in {zone}: {obstacle:?}");
        if let Some(text) = obstacle {
            let zone = zone.to_lowercase();
            assert!(
                text.contains(&format!("{name} is outside zone {zone}, ")),
                "{text}"
            );
            assert!(text.contains(&format!(" {name}.{zone} ")), "{text}");
        }
    }
}

#[test]
fn what_stands_in_the_way() {
    let list = records(
        r#"[
        {"type":"CNAME","name":"C.zone.io","content":"lb.example.net."},
        {"type":"CNAME","name":"*.w.zone.io","content":"lb.example.net"},
        {"type":"NS","name":"sub.zone.io","content":"ns2.example.net"},
        {"type":"NS","name":"sub.zone.io","content":"NS1.example.net."},
        {"type":"NS","name":"zone.io","content":"ada.ns.cloudflare.com"},
        {"type":"TXT","name":"t.zone.io","content":"x"},
        {"type":"MX","name":"t.zone.io","content":"mail.zone.io"},
        {"type":"A","name":"a.zone.io","content":"192.0.2.1"}
    ]"#,
    );
    let names = Names::of("z", &list);
    for (name, part) in [
        ("c.zone.io", Some("c.zone.io is a CNAME to lb.example.net")),
        ("*.w.zone.io", Some("a CNAME to lb.example.net")),
        ("x.w.zone.io", None),
        (
            "sub.zone.io",
            Some("delegate sub.zone.io to ns1.example.net, ns2.example.net"),
        ),
        ("x.sub.zone.io", None),
        ("zone.io", None),
        ("t.zone.io", None),
        ("a.zone.io", None),
        ("new.zone.io", None),
    ] {
        let failed = ZoneRead::Failed(failure(FailureCode::ProviderError, "500"));
        for zone in [known("zone.io"), ZoneRead::Refused, failed] {
            let found = names.obstacle(&key(name), &zone);
            match part {
                Some(part) => assert!(
                    found.as_ref().is_some_and(|text| text.contains(part)),
                    "{found:?}"
                ),
                None => assert_eq!(found, None, "{name} {zone:?}"),
            }
        }
    }
}

#[test]
fn the_zones_own_name_servers_are_no_delegation() {
    // No record beside them shows which name is the zone's own.
    let list = records(r#"[{"type":"NS","name":"zone.io","content":"ada.ns.cloudflare.com"}]"#);
    let names = Names::of("z", &list);
    for zone in [known("zone.io"), ZoneRead::Refused] {
        assert_eq!(names.obstacle(&key("zone.io"), &zone), None);
    }
    assert_eq!(names.notes(&key("1.zone.io")), [""; 0]);
    let inner = names.obstacle(&key("zone.io"), &known("io"));
    assert!(inner.unwrap().contains("NS records delegate zone.io"));
}

#[test]
fn states_that_no_field_covers() {
    let list = records(
        r#"[
        {"type":"NS","name":"sub.zone.io","content":"ns1.sub.zone.io"},
        {"type":"A","name":"ns1.sub.zone.io","content":"192.0.2.1"},
        {"type":"A","name":"x.sub.zone.io","content":"192.0.2.2"},
        {"type":"A","name":"a.zone.io","content":"192.0.2.3","settings":{"ipv4_only":true}},
        {"type":"A","name":"a.zone.io","content":"192.0.2.4","settings":{"ipv6_only":true},
            "private_routing":true},
        {"type":"A","name":"b.zone.io","content":"192.0.2.5","private_routing":false,
            "settings":{"ipv4_only":false,"flatten_cname":true},"proxiable":false,
            "tags":["a:b"],"meta":{"is_glue":true},"locked":true},
        {"type":"A","name":"d.zone.io","content":"192.0.2.6","settings":[]},
        {"type":"CNAME","name":"e.zone.io","content":"a.zone.io","settings":{"ipv4_only":true}}
    ]"#,
    );
    let names = Names::of("z", &list);
    let notes = |name: &str| names.notes(&key(name));
    let delegated = notes("x.sub.zone.io");
    assert_eq!(
        delegated,
        [
            "NS records delegate sub.zone.io to ns1.sub.zone.io, so Cloudflare does not answer for x.sub.zone.io"
        ]
    );
    let settings = notes("a.zone.io");
    for part in [
        "`ipv4_only` is set on 192.0.2.3",
        "`ipv6_only` is set on 192.0.2.4",
        "`private_routing` is set on 192.0.2.4",
    ] {
        assert!(
            settings.iter().any(|note| note.contains(part)),
            "{settings:?}"
        );
    }
    assert_eq!(settings.len(), 3);
    for name in [
        "ns1.sub.zone.io",
        "b.zone.io",
        "d.zone.io",
        "e.zone.io",
        "sub.zone.io",
    ] {
        assert_eq!(notes(name), [""; 0], "{name}");
    }
}

#[test]
fn states_of_a_zone() {
    let notes = |status: Loose, paused: Loose| {
        let name = Loose::Text("zone.io".to_owned());
        let zone = WireZone {
            name,
            status,
            paused,
        };
        match ZoneRead::of(&zone) {
            ZoneRead::Known(facts) => facts.notes,
            other => panic!("{other:?}"),
        }
    };
    let text = |text: &str| Loose::Text(text.to_owned());
    assert_eq!(notes(text("active"), Loose::Flag(false)), [""; 0]);
    assert_eq!(notes(Loose::Missing, Loose::Missing), [""; 0]);
    for status in ["initializing", "pending", "moved", "new\u{1b}"] {
        let said = notes(text(status), Loose::Flag(true));
        assert!(
            said[0].contains(&format!("`{}`", status.trim_end_matches('\u{1b}'))),
            "{said:?}"
        );
        assert!(said[1].contains("is paused"), "{said:?}");
    }
    // A name that is not as record names are can't be compared with them; none at all is no answer.
    let named = |name: Loose| {
        ZoneRead::of(&WireZone {
            name,
            ..WireZone::default()
        })
    };
    assert_eq!(named(text("müller.example")), ZoneRead::Refused);
    for name in [Loose::Missing, Loose::Number(1), Loose::Strange] {
        assert!(matches!(named(name), ZoneRead::Failed(_)));
    }
}
