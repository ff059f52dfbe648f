----------------------------- MODULE Accountable -----------------------------
(* Models accountability (section 7): in a slot with two decisions under one charter, rule 7 (i)  *)
(* and (ii) convict at least 2q - n members. The check is: while at most 2q - n - 1 members are   *)
(* convicted, there are no two decisions.                                                         *)
(*                                                                                                *)
(* Byz are the members that can be convicted. Everyone else does ANYTHING except a pair of votes  *)
(* that convicts it: it forgets its lock, goes back a round, forks its lane. Its prevotes cite    *)
(* all prevotes that there are, because that clears it best of (ii). Rule 4 is not asked for,     *)
(* because a vote need not know its author's other votes. The pairs do not depend on which vote   *)
(* came first. So votes can come in turn here too.                                                *)
EXTENDS Slot

ReleasedAbove(v, lock, r) == \E s \in Rounds : lock < s /\ s < r /\ PrevoteQuorum(v, s)
ConvictsNot(m, v, r) == \A s \in Rounds : s < r => pc[m][s] \subseteq {v} \/ ReleasedAbove(v, s, r)

CarefulPrevote(m, v, r) ==
   /\ pv[m][r] = {} /\ InTurn(r) /\ Entered(r) /\ (Kept("evidence (ii)") => ConvictsNot(m, v, r))
   /\ pv' = [pv EXCEPT ![m][r] = {v}] /\ UNCHANGED <<approved, pc>>
CarefulPrecommit(m, v, r) ==
   /\ pc[m][r] = {} /\ InTurn(r) /\ Entered(r) /\ PrevoteQuorum(v, r)
   /\ pc' = [pc EXCEPT ![m][r] = {v}] /\ UNCHANGED <<approved, pv>>
CarefulNext == \E m \in Honest, v \in Values, r \in Rounds : CarefulPrevote(m, v, r) \/ CarefulPrecommit(m, v, r)
CarefulSpec == Init /\ [][CarefulNext]_vars
=============================================================================
