use super::*;
use std::collections::BTreeSet;

#[test]
fn what_was_found_once_is_mended() {
    for target in Target::ALL {
        for (name, input) in crashes(target).unwrap() {
            assert_eq!(target.run(&input), Ok(()), "{}/{name}", target.as_str());
        }
    }
}

#[test]
fn equal_seeds_give_equal_inputs_and_unequal_ones_do_not() {
    for target in Target::ALL {
        let corpus = corpus(target).unwrap();
        assert!(!corpus.parts.is_empty(), "{}", target.as_str());
        let inputs: Vec<Input> = (0..20).map(|at| target.input(&corpus, 1, at)).collect();
        let again: Vec<Input> = (0..20).map(|at| target.input(&corpus, 1, at)).collect();
        assert_eq!(inputs, again);
        let others: BTreeSet<_> = inputs.iter().map(|input| &input.parts).collect();
        assert!(others.len() > 10, "{}", target.as_str());
    }
}

#[test]
fn an_input_is_kept_as_it_was() {
    let parts = [("a-200", b"{}\n".to_vec()), ("b", vec![0xff, 0, b'x'])];
    let parts = parts.map(|(name, bytes)| Part {
        name: name.to_owned(),
        bytes,
    });
    let input = Input {
        parts: parts.to_vec(),
    };
    let json = input.to_json().to_string();
    assert_eq!(Input::from_json(json.as_bytes()), Ok(input));
    for bad in ["{}", "[{}]", "[{\"name\":\"a\",\"hex\":\"0\"}]", "x"] {
        assert!(Input::from_json(bad.as_bytes()).is_err(), "{bad}");
    }
}

/// The corpus as it stands is fine, and some of every target go wrong when it is changed.
#[test]
fn a_few_inputs_of_every_target() {
    for target in Target::ALL {
        let corpus = corpus(target).unwrap();
        for number in 0..40 {
            let input = target.input(&corpus, 7, number);
            assert_eq!(target.run(&input), Ok(()), "{} {number}", target.as_str());
        }
    }
}

#[test]
fn honest_answers_prove_what_is_gone_and_garbage_does_not() {
    let part = |name: &str, text: &str| Part {
        name: name.to_owned(),
        bytes: text.as_bytes().to_vec(),
    };
    let served = |parts: &[Part]| -> Vec<wire::Served> {
        let one = |part: &Part| wire::Served {
            kind: if part.name.starts_with("list") {
                "list"
            } else {
                "service"
            },
            path: String::new(),
            status: 200,
            body: part.bytes.clone(),
        };
        parts.iter().map(one).collect()
    };
    let key = kedge_core::model::ResourceKey::kafka_topic("p", "s", "dev-a");
    let running = part("service-200", r#"{"service":{"state":"RUNNING"}}"#);
    let mut answers = served(&[part("list-200", r#"{"topics":[]}"#), running]);
    assert!(!proof::is_gone(&key, &answers));
    answers.push(wire::Served {
        kind: "topic",
        path: "/v1/project/p/service/s/topic/dev-a".to_owned(),
        status: 404,
        body: Vec::new(),
    });
    assert!(proof::is_gone(&key, &answers));
    answers.remove(1);
    assert!(!proof::is_gone(&key, &answers));
}
