----------------------------- MODULE Accountable -----------------------------
(* Accountability (section 7): in a slot with two decisions under one charter rule 7 (i) and (ii) convict at least  *)
(* 2q - n members. Checked as: with at most 2q - n - 1 members convicted there are no two decisions.                *)
(*                                                                                                                  *)
(* Byz are the members that may be convicted; everyone else does ANYTHING short of a pair of votes that would       *)
(* convict it: it may forget its lock, go back a round, fork its lane. Such a vote cites all the prevotes that      *)
(* exist, as that is what clears it best of (ii); if it cited less, it would be convicted where here it is not.     *)
(* Rule 4, which is about what a vote knows, is not asked at all: more can be done here than would count.           *)
EXTENDS Slot
VARIABLE released  \* the highest round in which a prevote cites a quorum for its value, by member and round; -1: none

NewestBelow(v, r) == LET with == {s \in Rounds : s < r /\ PrevoteQuorum(v, s)} IN
   IF with = {} THEN -1 ELSE CHOOSE s \in with : \A t \in with : t <= s

CarefulPrevote(m, v, r) ==
   /\ pv[m][r] = {} /\ Entered(r)
   /\ Kept("evidence (ii)") => \A s \in Rounds : s < r => pc[m][s] \subseteq {v} \/ s < NewestBelow(v, r)
   /\ pv' = [pv EXCEPT ![m][r] = {v}] /\ released' = [released EXCEPT ![m][r] = NewestBelow(v, r)]
   /\ UNCHANGED <<approved, pc>>
CarefulPrecommit(m, v, r) ==
   /\ pc[m][r] = {} /\ Entered(r) /\ PrevoteQuorum(v, r)
   /\ Kept("evidence (ii)") => \A s \in Rounds : r < s => pv[m][s] \subseteq {v} \/ r < released[m][s]
   /\ pc' = [pc EXCEPT ![m][r] = {v}] /\ UNCHANGED <<approved, pv, released>>

CarefulInit == Init /\ released = [m \in Honest |-> [r \in Rounds |-> -1]]
CarefulNext == \E m \in Honest, v \in Values, r \in Rounds : CarefulPrevote(m, v, r) \/ CarefulPrecommit(m, v, r)
CarefulSpec == CarefulInit /\ [][CarefulNext]_<<vars, released>>
=============================================================================
