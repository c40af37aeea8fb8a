/* The container that holds a Pod's namespaces: waits for the signal to end. */
#include <signal.h>

int main(void) {
  sigset_t ends;
  int signal;
  sigemptyset(&ends);
  sigaddset(&ends, SIGTERM);
  sigaddset(&ends, SIGINT);
  sigprocmask(SIG_BLOCK, &ends, 0);
  return sigwait(&ends, &signal);
}
