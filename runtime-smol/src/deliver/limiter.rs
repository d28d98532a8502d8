//! How many new connections are worked on at once: one, so that those that are kept get through.
//!
//! One thread does everything, and what a new connection costs it, above all a step of a TLS handshake, is many times what
//! an attempt on a kept connection does. So such steps are taken one by one, and after each of them those connections are
//! served that have news: however many receivers have to be called anew because they fail, whoever has a connection gets
//! through between any two of them.

use crate::net::Net;
use futures_lite::future::yield_now;
use smol::lock::Mutex;

/// Lets those who need a new connection take a step one by one, in the order in which they came.
#[derive(Debug, Default)]
pub(crate) struct ConnectLimiter(Mutex<()>);

impl ConnectLimiter {
    /// Waits for a turn in which nobody else takes a step; it is to be done before anything else is waited for.
    pub(crate) async fn turn(&self, net: &Net) {
        let _turn = self.0.lock().await;
        net.look();
        // Those who have news go first.
        yield_now().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use smol::LocalExecutor;
    use std::cell::RefCell;

    #[test]
    fn there_is_one_step_in_each_turn() {
        let (limiter, told) = (ConnectLimiter::default(), RefCell::new(Vec::new()));
        let net = Net::new().unwrap();
        let executor = LocalExecutor::new();
        for number in 0..3 {
            let (limiter, told, net) = (&limiter, &told, &net);
            let step = async move {
                limiter.turn(net).await;
                told.borrow_mut().push(number);
            };
            executor.spawn(step).detach();
        }
        let others = async {
            // Whoever waits for no connection gets a turn between any two steps.
            for steps in 1..=3 {
                while told.borrow().len() < steps {
                    yield_now().await;
                }
                assert_eq!(told.borrow().len(), steps);
                yield_now().await;
            }
        };
        let others = executor.spawn(others);
        async_io::block_on(executor.run(others));
        assert_eq!(*told.borrow(), [0, 1, 2]);
    }
}
