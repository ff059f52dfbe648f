//! Sentences for reason codes: why a statement does not count.

use crate::consensus::DiscountReason;

/// Returns the meaning of a reason as a part of a sentence, with no capital letter and no full
/// stop.
pub fn discount_reason(reason: DiscountReason) -> &'static str {
    use DiscountReason as Code;
    match reason {
        Code::CharterNotDecided => "the entry's charter is not decided among its ancestors",
        Code::NotProtected => "the charter does not protect the ref, or protects it anew",
        Code::WrongBase => {
            "the base is neither a decision about the ref nor where its chain starts"
        }
        Code::BaseNotDecided => "the base is not decided among the entry's ancestors",
        Code::NotASuccessor => "the proposed charter cannot follow the one in force",
        Code::UnknownProposal => "no such proposal among the entry's ancestors",
        Code::NotTheProposer => "only its proposer withdraws a proposal",
        Code::NotAVoter => "the member does not vote under this charter",
        Code::OwnApproval => "the charter does not count a proposer's own approval",
        Code::Frozen => {
            "the member has precommitted a change of this charter: other votes under it are over"
        }
        Code::SlotDecided => "the slot was decided otherwise under an earlier charter",
        Code::RoundWentBack => "the member has voted in a later round of the slot",
        Code::SecondVote => "the member has voted for another proposal in this round and phase",
        Code::RoundNotEntered => "no quorum has voted in the round before",
        Code::NotApproved => "the proposal lacks the approvals that this vote needs",
        Code::Locked => "the member's own precommit binds it to another proposal",
        Code::HandedDown => "an earlier charter hands down another proposal",
        Code::NoPrevoteQuorum => "no quorum has prevoted the proposal in this round",
        Code::BadAgreementSignature => "the signature over the agreement statement does not verify",
    }
}
