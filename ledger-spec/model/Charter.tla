------------------------------- MODULE Charter -------------------------------
(* Models rule 6 of ../deciding.md: one slot that stays open while the charter changes, once or   *)
(* twice in a row.                                                                                *)
(*                                                                                                *)
(* Votes are kept and judged as in Slot.tla: the state holds the honest votes, guards read the    *)
(* whole ledger, and liars' votes exist. One rule is different: the handed-down proposal depends  *)
(* on what a vote does NOT know. So a vote here chooses its view: of each earlier charter         *)
(* anything that exists, but at least what q precommits of the change know. (CHARTER_NOT_DECIDED  *)
(* asks for these, and each of them knows its author's lock.)                                     *)
(*                                                                                                *)
(* What is left out, and why nothing is lost:                                                     *)
(* - The rounds of the charter changes themselves. They are slots like any other (Slot.tla). So   *)
(*   there is one change of each charter, and an honest member can precommit it at any time.      *)
(* - That views of several charters depend on each other. A vote can choose what it knows of each *)
(*   charter by itself, which allows more than is possible.                                       *)
(* - Votes out of turn: no vote needs a vote of a later round or charter. Of charters that are    *)
(*   over, only two things matter: what can be known of them, and what they decided (see          *)
(*   Slot.tla).                                                                                   *)
(* - SLOT_DECIDED. A member that does not know of a decision is not bound by it, and nobody has   *)
(*   to know of it here.                                                                          *)
EXTENDS Integers, FiniteSets, TLC

CONSTANTS Last,                          \* the charters are 0 to Last, each the base of the next
          Honest0, Honest1, Honest2,     \* the honest voting members of each charter
          Liars0, Liars1, Liars2,        \* and the others
          Top0, Top1, Top2,              \* the last round that is looked at under each charter
          Values, None,
          AnyApprovals,                  \* TRUE: any set of values has q approvals under each charter; FALSE: all have
          Without                        \* rules taken away, or wordings that were tried; {} for the program's rules

VARIABLES approved,   \* values with q approvals, by charter
          pv, pc,     \* honest votes: by charter, member and round
          changed,    \* who has precommitted the change of each charter
          kept        \* the lock that its lane held then
vars == <<approved, pv, pc, changed, kept>>

Charters == 0..Last
Honest(c) == CASE c = 0 -> Honest0 [] c = 1 -> Honest1 [] c = 2 -> Honest2
Liars(c) == CASE c = 0 -> Liars0 [] c = 1 -> Liars1 [] c = 2 -> Liars2
Rounds(c) == CASE c = 0 -> 0..Top0 [] c = 1 -> 0..Top1 [] c = 2 -> 0..Top2
Quorum(c) == LET n == Cardinality(Honest(c) \cup Liars(c)) IN (n + (n - 1) \div 3) \div 2 + 1
Kept(rule) == rule \notin Without
Symmetry == Permutations(Values)
NoLock == <<None, -1>>

Init == /\ approved \in IF AnyApprovals THEN [Charters -> SUBSET Values] ELSE {[c \in Charters |-> Values]}
        /\ pv = [c \in Charters |-> [m \in Honest(c) |-> [r \in Rounds(c) |-> None]]]
        /\ pc = pv
        /\ changed = [c \in Charters |-> [m \in Honest(c) |-> FALSE]]
        /\ kept = [c \in Charters |-> [m \in Honest(c) |-> NoLock]]

---------------------------------------------------------------------------
IsQuorum(c, members) == Cardinality(members \cup Liars(c)) >= Quorum(c)
PrevoteQuorum(c, v, r) == IsQuorum(c, {m \in Honest(c) : pv[c][m][r] = v})
DecidedIn(c, v, r) == PrevoteQuorum(c, v, r) /\ IsQuorum(c, {m \in Honest(c) : pc[c][m][r] = v})
Voted(c, m, r) == pv[c][m][r] # None \/ pc[c][m][r] # None
Entered(c, r) == IF r = 0 THEN TRUE ELSE IsQuorum(c, {m \in Honest(c) : Voted(c, m, r - 1)})
LockRounds(c, m) == {r \in Rounds(c) : pc[c][m][r] # None}
Lock(c, m) == IF LockRounds(c, m) = {} THEN NoLock
   ELSE LET r == CHOOSE r \in LockRounds(c, m) : \A s \in LockRounds(c, m) : s <= r IN <<pc[c][m][r], r>>
QuorumBetween(c, v, from, below) == \E s \in Rounds(c) : from <= s /\ s < below /\ PrevoteQuorum(c, v, s)

---------------------------------------------------------------------------
(* Rule 6. The change of a charter is decided when q members have precommitted it. *)
Changers(c) == {m \in Honest(c) : changed[c][m]}
InForce(c) == \A j \in 0..c - 1 : IsQuorum(j, Changers(j))
(* A vote that knows the change knows the locks of some q members that precommitted it. Known(j)  *)
(* is the set of prevote quorums of charter j that can be the highest one that a vote knows;      *)
(* NoLock if it can know of none.                                                                 *)
LeastKnown(j, r) == IsQuorum(j, {m \in Changers(j) : kept[j][m][2] <= r})
Known(j) == {l \in Values \X Rounds(j) : PrevoteQuorum(j, l[1], l[2]) /\ LeastKnown(j, l[2])}
            \cup (IF LeastKnown(j, -1) THEN {NoLock} ELSE {})
(* What can be handed down to a vote under c: the quorum of the latest charter that has one, of   *)
(* its highest round.                                                                             *)
RECURSIVE HandedDown(_)
HandedDown(j) == IF j < 0 THEN {NoLock}
   ELSE (Known(j) \ {NoLock}) \cup (IF NoLock \in Known(j) THEN HandedDown(j - 1) ELSE {})
(* A wording that fails: the highest round, whatever the charter. *)
HigherOf(k, l) == IF k[2] > l[2] THEN k ELSE l
RECURSIVE HighestRound(_)
HighestRound(j) == IF j < 0 THEN {NoLock} ELSE {HigherOf(k, l) : k \in Known(j), l \in HighestRound(j - 1)}
Views(c) == IF ~Kept("hand-over") THEN {NoLock}
           ELSE IF ~Kept("latest charter first") THEN HighestRound(c - 1)
           ELSE IF ~Kept("whole lineage") /\ c > 0 THEN Known(c - 1)
           ELSE HandedDown(c - 1)

Free(c, m) == Kept("freeze") => ~changed[c][m]
(* Another wording that fails, "literal". A member that precommitted in the slot holds the change *)
(* back until that proposal is decided. What it did not precommit does not bind it under the next *)
(* charter.                                                                                       *)
Literal == ~Kept("hand-over") /\ "literal" \in Without
LiteralChange(c, m) == Literal => \A r \in Rounds(c) : pc[c][m][r] # None => DecidedIn(c, pc[c][m][r], r)
LiteralVote(c, m) == Literal /\ c > 0 => (m \in Honest(c - 1) => kept[c - 1][m] = NoLock)

OwnOrder(c, m, votes, r) == /\ votes[c][m][r] = None /\ Entered(c, r)
                            /\ \A s \in Rounds(c) : s > r => ~Voted(c, m, s)

Prevote(c, m, v, r) ==
   /\ InForce(c) /\ Free(c, m) /\ LiteralVote(c, m) /\ OwnOrder(c, m, pv, r)
   /\ LET own == Lock(c, m) IN
      /\ own[1] \in {None, v} \/ QuorumBetween(c, v, own[2] + 1, r)
      /\ \E down \in Views(c) : /\ down[1] \in {None, v} \/ QuorumBetween(c, v, 0, r)
                               /\ (v \in approved[c] \cup {own[1], down[1]} \/ QuorumBetween(c, v, 0, r))
   /\ pv' = [pv EXCEPT ![c][m][r] = v] /\ UNCHANGED <<approved, pc, changed, kept>>
Precommit(c, m, v, r) ==
   /\ InForce(c) /\ Free(c, m) /\ LiteralVote(c, m) /\ OwnOrder(c, m, pc, r) /\ PrevoteQuorum(c, v, r)
   /\ pc' = [pc EXCEPT ![c][m][r] = v] /\ UNCHANGED <<approved, pv, changed, kept>>
Change(c, m) ==
   /\ InForce(c) /\ ~changed[c][m] /\ LiteralChange(c, m)
   /\ changed' = [changed EXCEPT ![c][m] = TRUE] /\ kept' = [kept EXCEPT ![c][m] = Lock(c, m)]
   /\ UNCHANGED <<approved, pv, pc>>
InTurn(c) == \A j \in c + 1..Last : \A m \in Honest(j) : ~changed[j][m] /\ \A r \in Rounds(j) : ~Voted(j, m, r)
RoundInTurn(c, r) == \A m \in Honest(c), s \in Rounds(c) : s > r => ~Voted(c, m, s)
Next == \E c \in Charters : /\ InTurn(c)
   /\ \E m \in Honest(c) :
      \/ c < Last /\ Change(c, m)
      \/ \E v \in Values, r \in Rounds(c) : RoundInTurn(c, r) /\ (Prevote(c, m, v, r) \/ Precommit(c, m, v, r))
Spec == Init /\ [][Next]_vars

---------------------------------------------------------------------------
Decided(v) == \E c \in Charters : \E r \in Rounds(c) : DecidedIn(c, v, r)
Agreement == \A v, w \in Values : Decided(v) /\ Decided(w) => v = w
(* A decision has q approvals under the charter at which its chain of hand-overs started. *)
Validity == \A v \in Values : Decided(v) => \E c \in Charters : v \in approved[c]

---------------------------------------------------------------------------
(* What the future depends on, as in Slot.tla. *)
Now == CHOOSE c \in Charters : InTurn(c) /\ \A j \in Charters : InTurn(j) => c <= j
Boards(m) == {c \in Charters : m \in Honest(c)}
Place(m) == <<Boards(m), IF Now \in Boards(m) THEN <<pv[Now][m], pc[Now][m], changed[Now][m], kept[Now][m]>> ELSE <<>>,
              IF Literal /\ Now - 1 \in Boards(m) THEN kept[Now - 1][m] ELSE NoLock>>
Everyone == UNION {Honest(c) : c \in Charters}
Past == {<<v, r, c>> \in Values \X (0..2) \X Charters : c < Now /\ r \in Rounds(c) /\ DecidedIn(c, v, r)}
View == <<approved, Now, [j \in 0..Now - 1 |-> Known(j)], {p[1] : p \in Past},
             {<<p, Cardinality({m \in Everyone : Place(m) = p})>> : p \in {Place(m) : m \in Everyone}},
          Agreement, Validity>>
=============================================================================
