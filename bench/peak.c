/* Runs a program, and adds a line to a file: the most memory that it or a process that it waited for held, in kB.
 *
 *     peak FILE PROGRAM [ARGUMENT ...] */
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv) {
	if (argc < 3)
		return 125;
	pid_t child = fork();
	if (child == 0) {
		execvp(argv[2], argv + 2);
		_exit(126);
	}
	int status = 0;
	struct rusage usage;
	if (child < 0 || wait4(child, &status, 0, &usage) < 0)
		return 125;
	FILE *file = fopen(argv[1], "a");
	if (file) {
		fprintf(file, "%ld\n", usage.ru_maxrss);
		fclose(file);
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 124;
}
