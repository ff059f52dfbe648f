------------------------------ MODULE Progress ------------------------------
(* The duties of a tool (section 5 of ../deciding.md): honest members that see each other decide within Soon rounds,  *)
(* whatever one liar shows to whom and when. All proposals have q approvals here.                                    *)
(*                                                                                                                  *)
(* A storm comes first: in rounds 0 to Storm honest members cast ANY votes that count (rules 1 to 5a), which covers  *)
(* whatever duties, delays and lost messages would have made of it. At any moment calm sets in.                      *)
(*                                                                                                                  *)
(* In the calm what an honest member says reaches the others before any patience runs out, so it is known to all at  *)
(* once, with all that it builds on. Only the liar's votes are known to some: `open` are those that an honest entry  *)
(* builds on, shown[m] those that m alone has been shown. A vote is shown when that makes a difference to what m     *)
(* does; before that the liar may as well have waited. Two votes of the liar for one round and phase are no bar.     *)
(*                                                                                                                  *)
(* Time is an order. First comes whatever is due at once; then patience for a round runs out in which q have voted   *)
(* (5a); then the guide's for the round it has gone to; last, twice that, the others' (5c). The first two are one    *)
(* round's patience apart and the last two another's. Members that went to a round at different times were apart by  *)
(* no more than the patience for the round before, once they all voted when an honest guide spoke.                   *)
EXTENDS Integers, FiniteSets, TLC

CONSTANTS Honest, Liar,
          Values,      \* numbers, ordered as ids are
          Q, F,
          Storm,       \* the last round of the storm
          Soon,        \* how many more rounds a decision may take
          Without      \* duties taken away; {} is what is built

VARIABLES pv, pc,      \* honest votes, by member and round
          at,          \* the round that each has voted in or gone to
          open, shown, \* the liar's votes that all know, and that single members know
          order,       \* of the members: the guide of round r is order[r % n]
          since        \* the highest round when calm set in; -1 in the storm
vars == <<pv, pc, at, open, shown, order, since>>

Members == Honest \cup {Liar}
N == Cardinality(Members)
MaxRound == Storm + Soon + 1
Rounds == 0..MaxRound
None == 0
Max(S) == CHOOSE r \in S : \A s \in S : s <= r
Min(S) == CHOOSE r \in S : \A s \in S : r <= s
Kept(duty) == duty \notin Without
Symmetry == Permutations(Honest)
Guide(r) == order[r % N]

Init == /\ pv = [m \in Honest |-> [r \in Rounds |-> None]] /\ pc = pv
        /\ at = [m \in Honest |-> 0]
        /\ open = {} /\ shown = [m \in Honest |-> {}]
        /\ order \in {o \in [0..N - 1 -> Members] : \A m \in Members : \E i \in 0..N - 1 : o[i] = m}
        /\ since = -1

---------------------------------------------------------------------------
(* What follows from the honest votes and those of the liar in k. A liar's vote is <<phase, round, value>>. *)
LiarIf(condition) == IF condition THEN {Liar} ELSE {}
Prevoters(k, v, r) == {m \in Honest : pv[m][r] = v} \cup LiarIf(<<"prevote", r, v>> \in k)
Precommitters(k, v, r) == {m \in Honest : pc[m][r] = v} \cup LiarIf(<<"precommit", r, v>> \in k)
IsQuorum(members) == Cardinality(members) >= Q
Voted(m, r) == pv[m][r] # None \/ pc[m][r] # None
Voters(k, r) == {m \in Honest : Voted(m, r)} \cup LiarIf(\E vote \in k : vote[2] = r)
Entered(k, r) == IF r = 0 THEN TRUE ELSE IsQuorum(Voters(k, r - 1))
PrevoteQuorum(k, v, r) == IsQuorum(Prevoters(k, v, r))
DecidedIn(k, r) == \E v \in Values : IsQuorum(Precommitters(k, v, r))
Decided(k) == \E r \in Rounds : DecidedIn(k, r)
K(m) == open \cup shown[m]

(* Rules 1 to 5a: may m vote so, if it knows k? *)
LockRound(m) == LET rs == {r \in Rounds : pc[m][r] # None} IN IF rs = {} THEN -1 ELSE Max(rs)
InOrder(m, votes, r) == votes[m][r] = None /\ \A s \in Rounds : s > r => ~Voted(m, s)
MayPrevote(k, m, v, r) == /\ InOrder(m, pv, r) /\ Entered(k, r)
   /\ LET l == LockRound(m) IN IF l = -1 THEN TRUE ELSE
      pc[m][l] = v \/ \E s \in Rounds : l < s /\ s < r /\ PrevoteQuorum(k, v, s)
MayPrecommit(k, m, v, r) == InOrder(m, pc, r) /\ Entered(k, r) /\ PrevoteQuorum(k, v, r)

(* What m says builds on all it knows, and everyone hears it. *)
Says(m) == open' = open \cup shown[m] /\ UNCHANGED <<order, since>>
SayPrevote(m, v, r) == /\ pv' = [pv EXCEPT ![m][r] = v] /\ at' = [at EXCEPT ![m] = r]
                       /\ UNCHANGED <<pc, shown>> /\ Says(m)
SayPrecommit(m, v, r) == /\ pc' = [pc EXCEPT ![m][r] = v] /\ at' = [at EXCEPT ![m] = r]
                         /\ UNCHANGED <<pv, shown>> /\ Says(m)
GoOn(m) == at' = [at EXCEPT ![m] = @ + 1] /\ UNCHANGED <<pv, pc, open, shown, order, since>>

---------------------------------------------------------------------------
(* What is due (5a to 5e) *)
Stuck(k, r) == LET prevoted == UNION {Prevoters(k, v, r) : v \in Values}
                   most == Max({Cardinality(Prevoters(k, v, r)) : v \in Values})
               IN most + N - Cardinality(prevoted) < Q
ManyAbove(k, r) == Cardinality(UNION {Voters(k, s) : s \in {s \in Rounds : s > r}}) > F

NotBelow(m) == IF Kept("5d") THEN at[m] ELSE Max({0} \cup {r \in Rounds : Voted(m, r)})
DuePrecommits(m) == {r \in NotBelow(m)..MaxRound : pc[m][r] = None /\ \E v \in Values : PrevoteQuorum(K(m), v, r)}
Votes(m) == ~Decided(K(m)) /\ DuePrecommits(m) = {}
GoesNow(m) == Votes(m) /\ IsQuorum(Voters(K(m), at[m])) /\ (Stuck(K(m), at[m]) \/ ManyAbove(K(m), at[m]))
GoesLate(m) == Votes(m) /\ IsQuorum(Voters(K(m), at[m])) /\ ~GoesNow(m)

Quorums(k, below) == {s \in 0..below - 1 : \E v \in Values : PrevoteQuorum(k, v, s)}
QuorumValue(k, r) == Min({v \in Values : PrevoteQuorum(k, v, r)})
(* 5b; the proposal of the lowest id that has q approvals is the lowest of all here. *)
Preference(m, r) ==
   LET quorums == Quorums(K(m), r)
       locks   == {s \in 0..r - 1 : pc[m][s] # None}
       highest == IF ~Kept("5b") /\ locks # {} THEN Max(locks) ELSE Max(quorums \cup locks)
   IN IF quorums \cup locks = {} THEN Min(Values)
      ELSE IF highest \in locks THEN pc[m][highest] ELSE QuorumValue(K(m), highest)
Guided(m, r) == {v \in Values : Guide(r) \in Prevoters(K(m), v, r) /\ MayPrevote(K(m), m, v, r)}
GuideSpoke(m, r) == \E v \in Values : Guide(r) \in Prevoters(K(m), v, r)
(* The prevote that m casts in r: the guide's if that counts, else its preference; None if neither counts. *)
Choice(m, r) == IF Kept("guide") /\ r > 0 /\ Guided(m, r) # {} THEN Min(Guided(m, r))
                ELSE LET v == IF r = 0 THEN Min(Values) ELSE Preference(m, r) IN IF MayPrevote(K(m), m, v, r) THEN v ELSE None
Chooses(m) == Votes(m) /\ ~GoesNow(m) /\ pv[m][at[m]] = None /\ Choice(m, at[m]) # None
ChoosesNow(m) == Chooses(m) /\ (at[m] = 0 \/ ~Kept("guide") \/ (GuideSpoke(m, at[m]) /\ Guide(at[m]) # m))
ChoosesAsGuide(m) == Chooses(m) /\ ~ChoosesNow(m) /\ Guide(at[m]) = m
ChoosesLast(m) == Chooses(m) /\ ~ChoosesNow(m) /\ Guide(at[m]) # m
(* 5e *)
Tells(m) == /\ Kept("5e") /\ Decided(K(m)) /\ ~Decided(open)
            /\ \E r, s \in Rounds, h \in Honest \ {m} : r < s /\ DecidedIn(K(m), r) /\ Voted(h, s)

DueNow == \E m \in Honest : (~Decided(K(m)) /\ DuePrecommits(m) # {}) \/ GoesNow(m) \/ ChoosesNow(m) \/ Tells(m)
DueSecond == \E m \in Honest : GoesLate(m) \/ (~Kept("guide waits") /\ ChoosesAsGuide(m))
DueThird == \E m \in Honest : ChoosesAsGuide(m) \/ (~Kept("two patiences") /\ ChoosesLast(m))
DueLast == \E m \in Honest : ChoosesLast(m)

Honestly(m, now, second, third) ==
   \/ ~Decided(K(m)) /\ DuePrecommits(m) # {}
      /\ LET r == Max(DuePrecommits(m)) IN MayPrecommit(K(m), m, QuorumValue(K(m), r), r)
                                           /\ SayPrecommit(m, QuorumValue(K(m), r), r)
   \/ GoesNow(m) /\ at[m] < MaxRound /\ GoOn(m)
   \/ ChoosesNow(m) /\ SayPrevote(m, Choice(m, at[m]), at[m])
   \/ Tells(m) /\ UNCHANGED <<pv, pc, at, shown>> /\ Says(m)
   \/ ~now /\ \/ GoesLate(m) /\ at[m] < MaxRound /\ GoOn(m)
              \/ /\ ChoosesAsGuide(m) /\ (~Kept("guide waits") \/ ~second)
                 /\ SayPrevote(m, Choice(m, at[m]), at[m])
              \/ /\ ChoosesLast(m) /\ ~second /\ (~Kept("two patiences") \/ ~third)
                 /\ SayPrevote(m, Choice(m, at[m]), at[m])

---------------------------------------------------------------------------
(* The liar shows m a vote that counts on what m knows, where that makes a difference to m. *)
Completes(k, m, v, r) ==
   LET with == k \cup {<<"prevote", r, v>>} IN
   \/ PrevoteQuorum(with, v, r) /\ ~PrevoteQuorum(k, v, r)
   \/ IsQuorum(Voters(with, r)) /\ ~IsQuorum(Voters(k, r))
   \/ /\ since # -1
      /\ \/ Stuck(with, r) /\ ~Stuck(k, r) /\ r = at[m]
         \/ ManyAbove(with, at[m]) /\ ~ManyAbove(k, at[m])
         \/ Guide(r) = Liar /\ r = at[m] /\ pv[m][r] = None
ShowPrevote(m, v, r) == /\ <<"prevote", r, v>> \notin K(m) /\ Entered(K(m), r) /\ Completes(K(m), m, v, r)
                        /\ shown' = [shown EXCEPT ![m] = @ \cup {<<"prevote", r, v>>}]
ShowPrecommit(m, v, r) == /\ <<"precommit", r, v>> \notin K(m) /\ PrevoteQuorum(K(m), v, r)
                          /\ Cardinality(Precommitters(K(m), v, r)) = Q - 1
                          /\ shown' = [shown EXCEPT ![m] = @ \cup {<<"precommit", r, v>>}]
Show(m) == /\ ~Decided(K(m)) /\ \E v \in Values, r \in 0..at[m] + 1 : r <= MaxRound /\ (ShowPrevote(m, v, r) \/ ShowPrecommit(m, v, r))
           /\ UNCHANGED <<pv, pc, at, open, order, since>>

InTurn(r) == \A h \in Honest, s \in Rounds : s > r => ~Voted(h, s) \* as in Slot.tla
Stormy(m) == \/ \E v \in Values, r \in 0..Storm : InTurn(r) /\
                \/ MayPrevote(K(m), m, v, r) /\ r >= at[m] /\ SayPrevote(m, v, r)
                \/ MayPrecommit(K(m), m, v, r) /\ r >= at[m] /\ SayPrecommit(m, v, r)
             \/ at[m] < Storm /\ Entered(K(m), at[m] + 1) /\ GoOn(m)
Calm == /\ since' = Max({at[m] : m \in Honest}) /\ UNCHANGED <<pv, pc, at, open, shown, order>>

Next == \/ \E m \in Honest : Show(m) 
        \/ since = -1 /\ (Calm \/ \E m \in Honest : Stormy(m))
        \/ since # -1 /\ LET now == DueNow second == DueSecond third == DueThird IN
                         \E m \in Honest : Honestly(m, now, second, third)
Spec == Init /\ [][Next]_vars

---------------------------------------------------------------------------
DecidesSoon == since # -1 => \A m \in Honest : at[m] <= since + Soon
NobodyWaitsForEver == since = -1 \/ DueNow \/ DueSecond \/ DueThird \/ DueLast \/ \A m \in Honest : Decided(K(m))
=============================================================================
