//! What recorded answers say about the programs and files of the machine that gave them.

use drplan_api::Answer;
use drplan_api::Ask;
use drplan_api::Standing;

use crate::check::CheckAnswer;
use crate::check::CheckAsk;
use crate::outputs::OutputsAnswer;
use crate::outputs::OutputsAsk;
use crate::system::CHECK;
use crate::system::OUTPUTS;

/// Reads how checks ended and which files were there.
pub(crate) fn standing(answers: &[(&Ask, &Answer)]) -> Vec<Standing> {
    let mut out = Standing::unanswered(answers);
    for (ask, answer) in answers {
        let Ok(said) = answer else { continue };
        match ask.op.as_str() {
            CHECK => {
                let asked = ask.args::<CheckAsk>().ok();
                let said = CheckAnswer::read(said).ok();
                out.extend(asked.zip(said).and_then(|(asked, said)| asked.ended(said)));
            }
            OUTPUTS => {
                let asked = ask.args::<OutputsAsk>().ok();
                let said = OutputsAnswer::read(said).ok();
                let files = asked.zip(said).map(|(asked, said)| asked.files(&said));
                out.extend(files.into_iter().flatten());
            }
            _ => {}
        }
    }
    out
}
