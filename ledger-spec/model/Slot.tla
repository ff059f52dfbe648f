-------------------------------- MODULE Slot --------------------------------
(* Models one slot under one charter: rules 1 to 5a of ../deciding.md, agreement, validity and    *)
(* the two lemmas of its section 7.                                                               *)
(*                                                                                                *)
(* What is left out, and why nothing is lost:                                                     *)
(* - Entries, and who has seen what. A vote is judged by its ancestors. Each guard below asks     *)
(*   that some votes EXIST among them. Only the member's own votes can speak against it, and an   *)
(*   honest member knows all of these. So a member that builds on the whole ledger can do         *)
(*   whatever a member that saw less could. The state holds the honest votes alone.               *)
(* - The votes of liars. A liar has as many branches as it likes, so nothing of its own ever      *)
(*   speaks against it. Whatever it could sign counts as existing: it is in every set of voters   *)
(*   below. (A quorum contains an honest member. So whatever a liar's vote must know is there     *)
(*   whenever that vote is counted. traces/ replays this.)                                        *)
(* - Proposals: they exist, are valid and are known. Withdrawals and rejections: no rule of       *)
(*   validity reads them.                                                                         *)
(* - Votes out of turn. What a vote needs is of its own round or of earlier rounds. An honest     *)
(*   member's votes of later rounds come after it. So every set of votes that is possible is also *)
(*   possible round by round. Of rounds that are over, only locks, prevote quorums and decisions  *)
(*   matter. View below tells TLC so.                                                             *)
(* - Signatures: the liars have their own keys and no others.                                     *)
EXTENDS Integers, FiniteSets, TLC

CONSTANTS Honest, Byz, \* the voting members: the honest ones, and the liars
          Values,      \* rival proposals
          MaxRound,
          Q,           \* the quorum
          AnyApprovals,\* TRUE: every choice of who approves what; FALSE: all approve all, which allows the most
          Without      \* names of rules that are taken away; {} for the program's rules

VARIABLES approved,    \* what each honest member has approved. Approvals only enable, so all are there at once
          pv, pc       \* the values that each honest member has prevoted and precommitted, by round

vars == <<approved, pv, pc>>
Rounds == 0..MaxRound
Kept(rule) == rule \notin Without
Symmetry == Permutations(Values)

Init == /\ approved \in IF AnyApprovals THEN [Honest -> SUBSET Values] ELSE {[m \in Honest |-> Values]}
        /\ pv = [m \in Honest |-> [r \in Rounds |-> {}]]
        /\ pc = pv

---------------------------------------------------------------------------
(* Contents of the ledger. *)
IsQuorum(members) == Cardinality(members) >= Q
Approved(v) == IsQuorum({m \in Honest : v \in approved[m]} \cup Byz)
Prevoters(v, r) == {m \in Honest : v \in pv[m][r]} \cup Byz
PrevoteQuorum(v, r) == IsQuorum(Prevoters(v, r))
(* A liar's precommit counts only if there is a prevote quorum that it can cite. *)
Precommitters(v, r) == {m \in Honest : v \in pc[m][r]}
   \cup (IF PrevoteQuorum(v, r) \/ ~Kept("prevotes") THEN Byz ELSE {})
Voted(m, r) == pv[m][r] \cup pc[m][r] # {}
Entered(r) == IF r = 0 THEN TRUE ELSE IsQuorum({m \in Honest : Voted(m, r - 1)} \cup Byz)

(* The lock: the precommit of the highest round; {} if there is none. *)
LockRounds(m) == {r \in Rounds : pc[m][r] # {}}
LockRound(m) == IF LockRounds(m) = {} THEN -1 ELSE CHOOSE r \in LockRounds(m) : \A s \in LockRounds(m) : s <= r
Lock(m) == IF LockRounds(m) = {} THEN {} ELSE pc[m][LockRound(m)]

(* Rule 4: q prevotes, all of one round, above the lock's round and below the vote's. Without     *)
(* "release: one round", prevotes of all rounds below can be gathered, if one of these rounds is  *)
(* above the lock's.                                                                              *)
Released(m, v, r) ==
   LET newer == {s \in Rounds : (LockRound(m) < s \/ ~Kept("release: newer")) /\ s < r}
       need  == IF Kept("release: quorum") THEN Q ELSE Q - 1
   IN IF Kept("release: one round") THEN \E s \in newer : Cardinality(Prevoters(v, s)) >= need
      ELSE newer # {} /\ Cardinality(UNION {Prevoters(v, s) : s \in 0..r - 1}) >= need

---------------------------------------------------------------------------
(* Rules 1 to 5a: the code of the first rule that a vote breaks, in the order of section 3;       *)
(* COUNTS if it breaks none.                                                                      *)
OwnOrder(m, votes, v, r) ==
   IF Kept("order") /\ \E s \in Rounds : s > r /\ Voted(m, s) THEN "ROUND_WENT_BACK"
   ELSE IF Kept("one vote") /\ votes[m][r] \ {v} # {} THEN "SECOND_VOTE"
   ELSE IF Kept("entering") /\ ~Entered(r) THEN "ROUND_NOT_ENTERED"
   ELSE "COUNTS"

MayPrevote(m, v, r) == Approved(v) \/ (r = 0 /\ v \in approved[m]) \/ v \in Lock(m)

PrevoteVerdict(m, v, r) ==
   IF OwnOrder(m, pv, v, r) # "COUNTS" THEN OwnOrder(m, pv, v, r)
   ELSE IF Kept("approvals") /\ ~MayPrevote(m, v, r) THEN "NOT_APPROVED"
   ELSE IF Kept("lock") /\ ~(Lock(m) \subseteq {v} \/ Released(m, v, r)) THEN "LOCKED"
   ELSE "COUNTS"

PrecommitVerdict(m, v, r) ==
   IF OwnOrder(m, pc, v, r) # "COUNTS" THEN OwnOrder(m, pc, v, r)
   ELSE IF Kept("prevotes") /\ ~PrevoteQuorum(v, r) THEN "NO_PREVOTE_QUORUM"
   ELSE "COUNTS"

Prevote(m, v, r) == /\ v \notin pv[m][r] /\ PrevoteVerdict(m, v, r) = "COUNTS"
                    /\ pv' = [pv EXCEPT ![m][r] = @ \cup {v}] /\ UNCHANGED <<approved, pc>>
Precommit(m, v, r) == /\ v \notin pc[m][r] /\ PrecommitVerdict(m, v, r) = "COUNTS"
                      /\ pc' = [pc EXCEPT ![m][r] = @ \cup {v}] /\ UNCHANGED <<approved, pv>>
(* An honest member casts any vote that counts. Of its duties the model asks for one only: a      *)
(* member that has precommitted in a round does not prevote in it any more (section 5). Without   *)
(* that duty agreement holds, but an honest member can be convicted.                              *)
MayStillPrevote(m, r) == Kept("no late prevote") => pc[m][r] = {}
InTurn(r) == Kept("order") => \A m \in Honest, s \in Rounds : s > r => ~Voted(m, s)
Next == \E m \in Honest, v \in Values, r \in Rounds : InTurn(r) /\ ((MayStillPrevote(m, r) /\ Prevote(m, v, r)) \/ Precommit(m, v, r))
Spec == Init /\ [][Next]_vars

---------------------------------------------------------------------------
(* What must hold. *)
DecidedIn(v, r) == IsQuorum(Precommitters(v, r))
Decided(v) == IF Kept("one round") THEN \E r \in Rounds : DecidedIn(v, r)
              ELSE IsQuorum(UNION {Precommitters(v, r) : r \in Rounds})
Agreement == \A v, w \in Values : Decided(v) /\ Decided(w) => v = w
Validity == \A v \in Values : Decided(v) => Approved(v)
Lemma1 == \A v, w \in Values, r \in Rounds : PrevoteQuorum(v, r) /\ PrevoteQuorum(w, r) => v = w
Lemma2 == \A v, w \in Values, r, s \in Rounds : DecidedIn(v, r) /\ s > r /\ PrevoteQuorum(w, s) => v = w
(* Rule 7 (ii), with everything that would clear the member, in any place. (i) is impossible by   *)
(* rule 4.                                                                                        *)
NeverConvicted == \A m \in Honest, r, s \in Rounds : \A v \in pc[m][r], w \in pv[m][s] :
   r < s /\ v # w => \E t \in Rounds : r < t /\ t < s /\ PrevoteQuorum(w, t)
(* What entering is for: liars alone bring nobody into a later round. *)
NotDriven == \A m \in Honest, r \in Rounds : r > 0 /\ Voted(m, r) => \E h \in Honest : Voted(h, r - 1)

---------------------------------------------------------------------------
(* States with the same view have the same future. It does not matter which honest member is      *)
(* which, nor what no rule reads any more. If a rule is taken away that made something            *)
(* irrelevant, that stays in the view.                                                            *)
Top == CHOOSE r \in Rounds : (r = 0 \/ \E m \in Honest : Voted(m, r)) /\ \A s \in Rounds : s > r => \A m \in Honest : ~Voted(m, s)
Newest(v) == {s \in Rounds : s < Top /\ PrevoteQuorum(v, s) /\ \A t \in Rounds : s < t /\ t < Top => ~PrevoteQuorum(v, t)}
Last(votes, m, v) == LET rs == {r \in Rounds : v \in votes[m][r]} IN IF rs = {} THEN -1 ELSE CHOOSE r \in rs : \A s \in rs : s <= r
Place(m) == <<approved[m], pv[m][Top], pc[m][Top], [v \in Values |-> Last(pc, m, v)],
              IF Kept("release: one round") THEN {} ELSE [v \in Values |-> Last(pv, m, v)]>>
Holds == <<Agreement, Validity, Lemma1, Lemma2, NotDriven, NeverConvicted>>
View == IF ~Kept("order") THEN vars ELSE
   <<Top, {<<p, Cardinality({m \in Honest : Place(m) = p})>> : p \in {Place(m) : m \in Honest}},
     [v \in Values |-> Newest(v)], {v \in Values : \E r \in Rounds : r < Top /\ DecidedIn(v, r)}, Holds>>
=============================================================================
